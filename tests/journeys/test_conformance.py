"""What the country answers is what its OpenAPI document says, whatever is asked (schemathesis)."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.journeys.country import Country, country_of
from tests.journeys.routes import CALLS, DOCUMENT, PUBLIC, Stage
from tests.journeys.stage import the_stage
from tests.journeys.world import World, embedded_world

pytestmark = pytest.mark.timeout(180)

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
EXAMPLES_PER_OPERATION = 10
FILES = """
import schemathesis


@schemathesis.serializer("application/pdf", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def as_it_is(_, value):
    return getattr(value, "data", value)
"""
"""How the tool sends the types of files that it does not know."""
HEADERS = [name for name, each in DOCUMENT["components"]["parameters"].items() if each["in"] == "header"]


@pytest.fixture
def stirred_world(tmp_path: Path) -> Iterator[World]:
    """A country of its own, because what is sent here leaves nothing as it was."""
    with embedded_world(tmp_path) as world:
        yield world


def without_headers(document: Any) -> Any:
    """The document without the headers that a request may carry: for the tool one that is not listed is a mistake.

    They have tests of their own at the gateway.
    """
    headers = {f"#/components/parameters/{name}" for name in HEADERS}
    paths = {
        path: {
            method: {**each, "parameters": [p for p in each.get("parameters", ()) if p.get("$ref") not in headers]}
            for method, each in operations.items()
        }
        for path, operations in document["paths"].items()
    }
    return {**document, "paths": paths}


async def conformance(country: Country, stage: Stage, user: str, phases: str) -> tuple[int, str]:
    """Ask everything as one user, with ids that exist; tell the exit status and the report."""
    token = await country.world.sign_in(country.session)(user)
    folder = country.world.folder / user
    folder.mkdir()
    parameters = "".join(f'"path.{name}" = "{value}"\n' for name, value in stage.ids.items())
    (folder / "schemathesis.toml").write_text(f'hooks = "files.py"\n\n[parameters]\n{parameters}')
    (folder / "files.py").write_text(FILES)
    (folder / "openapi.json").write_bytes(msgspec.json.encode(without_headers(DOCUMENT)))
    command = [str(Path(sys.executable).with_name("st")), "run", "openapi.json", "--url", country.world.url]
    command += ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--phases", phases]
    command += ["--max-examples", str(EXAMPLES_PER_OPERATION), "--seed", "1", "--continue-on-failure", "--no-shrink"]
    command += ["--warnings", "off", "--report", "json", "--report-json-path", str(folder / "report.json")]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode()


async def test_every_answer_is_as_documented_whoever_asks_and_whatever(stirred_world: World) -> None:
    async with country_of(stirred_world) as country:
        stage = await the_stage(country)

        async def parties() -> list[tuple[int, str]]:
            # The buyer before the factory, which will find out how to revoke.
            return [await conformance(country, stage, user, "fuzzing") for user in (stage.buyer, stage.factory)]

        programme, others = await asyncio.gather(conformance(country, stage, "admin", "coverage,fuzzing"), parties())
    for status, report in (programme, *others):
        assert status == 0, report
        assert f"{len(CALLS) + len(PUBLIC)} passed" in report
    assert not [line for line in stirred_world.log_lines() if '"level": "ERROR"' in line]
