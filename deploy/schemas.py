"""Write what is generated and committed (schemas, AsyncAPI, OpenAPI, settings); ``--check`` only compares."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from contracts.catalogue import CATALOGUE
from contracts.schema import asyncapi, json_schema, schema_name, schema_of
from deploy.embedded import public_openapi
from services.access.domain.disclosure_receipt import DisclosureReceipt
from services.access.domain.receipt import Receipt
from services.runtime.settings import env_example

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "contracts" / "schemas"
RECEIPTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "consent-receipt.1": Receipt,
    "disclosure-receipt.1": DisclosureReceipt,
}
"""What people keep and check, by the name of its schema."""


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with its text."""
    for entry in CATALOGUE.values():
        yield SCHEMAS / schema_name(entry.event), _pretty(json_schema(entry.event))
    for name, receipt in RECEIPTS.items():
        yield SCHEMAS / f"{name}.schema.json", _pretty(schema_of(receipt, f"urn:star:{name}"))
    yield ROOT / "contracts" / "asyncapi.json", _pretty(asyncapi())
    yield ROOT / "contracts" / "openapi.json", _pretty(public_openapi())
    yield ROOT / "deploy" / "country.env.example", env_example()


def stale() -> list[Path]:
    """The committed files that differ from what would be written, and schemas of events that are gone."""
    expected = dict(generated())
    differing = [p for p, text in expected.items() if not p.exists() or p.read_text("utf-8") != text]
    orphans = set(SCHEMAS.glob("*.json")) - set(expected)
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
