"""A typed client that others generate from the public description works: the description is true."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import contracts
from tests.journeys.country import country_of
from tests.journeys.world import World, embedded_world

pytestmark = pytest.mark.timeout(180)

HERE: Final = Path(__file__).parent
JSON: Final = frozenset({"application/json", "application/problem+json"})
BYTES: Final = "application/octet-stream"
DOCUMENT: Final = Path(contracts.__file__).parent / "openapi.json"
BIN: Final = Path(sys.executable).parent


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the generated package ``star_client`` and the program that uses it."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "generator.json"
    # What is no JSON are bytes to the generator, which has to be told.
    others = dict.fromkeys(media_types(json.loads(DOCUMENT.read_bytes())) - JSON, BYTES)
    config.write_text(json.dumps({"content_type_overrides": others, "post_hooks": []}))
    command = [str(BIN / "openapi-python-client"), "generate", "--path", str(DOCUMENT), "--meta", "none"]
    command += ["--config", str(config), "--output-path", str(folder / "star_client")]
    done = subprocess.run([*command, "--fail-on-warning"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"the description cannot be turned into a client: {done.stdout}{done.stderr}"
    (folder / "walk.py").write_bytes((HERE / "walk.py").read_bytes())
    return folder


def media_types(described: Any) -> set[str]:
    """Every media type that a description names."""
    if isinstance(described, list):
        return {found for each in described for found in media_types(each)}
    if not isinstance(described, dict):
        return set()
    own = {name for name in described.get("content", ()) if "/" in name}
    return own | {found for each in described.values() for found in media_types(each)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with embedded_world(tmp_path) as found:
        yield found


def test_the_generator_leaves_nothing_of_the_description_out(generated: Path) -> None:
    operations = [each for path in json.loads(DOCUMENT.read_bytes())["paths"].values() for each in path]
    modules = [path for path in (generated / "star_client" / "api").rglob("*.py") if path.name != "__init__.py"]
    assert len(modules) == len(operations)


def test_the_generated_client_and_a_program_that_uses_it_are_well_typed(generated: Path) -> None:
    command = [str(BIN / "mypy"), "--strict", "--no-incremental", "--config-file=", "-p", "star_client", "-m", "walk"]
    done = subprocess.run(command, cwd=generated, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


async def test_a_program_that_uses_the_generated_client_finds_what_is_there(generated: Path, world: World) -> None:
    async with country_of(world) as country:
        case, buyer = await country.a_released_case(), await country.buyer()
        await country.grant(case, buyer)
        await country.until_readable(buyer, f"/reports/{case.report_id}")
        sign_in = world.sign_in(country.session)
        tokens = {"admin": "admin", "factory": case.factory.user, "buyer": buyer.user}
        given = {name: await sign_in(user) for name, user in tokens.items()}
        given |= {"report_id": case.report_id, "factory_id": case.factory.id, "buyer_id": buyer.id}
        told = await walked(generated, world.url, given)
    assert set(told["listed"]) == {*told["registered"], case.factory.id}
    assert told["report"] == [case.report_id, case.factory.id, case.factory.id]
    assert told["reports"] == [case.report_id]
    assert told["plans"] == [case.factory.id]
    assert told["courses"] > 0
    assert told["file"] == [200, "application/pdf", "%PDF-"]
    assert told["grant"] == [case.factory.id, buyer.id, "Typed"]
    assert told["refusals"] == [
        [404, "not_found", True],
        [401, "not_authenticated", True],
        [400, "invalid_cursor", True],
    ]


async def walked(generated: Path, url: str, given: dict[str, Any]) -> Any:
    """What the program says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "walk.py",
        url,
        cwd=generated,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(generated)},
    )
    told, complaint = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0, complaint.decode()
    return json.loads(told)
