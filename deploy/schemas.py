"""Write what is generated and committed (schemas, AsyncAPI, OpenAPI, settings); ``--check`` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from contracts.catalogue import CATALOGUE
from contracts.schema import asyncapi, json_schema, schema_name
from deploy.embedded import public_openapi
from services.runtime.settings import env_example

ROOT = Path(__file__).resolve().parent.parent


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with its text."""
    for entry in CATALOGUE.values():
        yield ROOT / "contracts" / "schemas" / schema_name(entry.event), _pretty(json_schema(entry.event))
    yield ROOT / "contracts" / "asyncapi.json", _pretty(asyncapi())
    yield ROOT / "contracts" / "openapi.json", _pretty(public_openapi())
    yield ROOT / "deploy" / "country.env.example", env_example()


def stale() -> list[Path]:
    """The committed files that differ from what would be written, and schemas of events that are gone."""
    expected = dict(generated())
    differing = [p for p, text in expected.items() if not p.exists() or p.read_text("utf-8") != text]
    orphans = set((ROOT / "contracts" / "schemas").glob("*.json")) - set(expected)
    return differing + sorted(orphans)


def _pretty(document: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def main() -> None:
    """Write the files, or with ``--check`` exit 1 naming those that are out of date."""
    if "--check" in sys.argv:
        if found := stale():
            sys.exit("out of date, run make schemas: " + ", ".join(str(p.relative_to(ROOT)) for p in found))
        return
    for path, text in generated():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
