"""A buyer's portfolio as it was downloaded, and what it says of itself."""

import io
import zipfile
from typing import Any

import msgspec

from tests.gateway.running import Door


async def portfolio(door: Door, query: str = "", user: str = "buyer") -> zipfile.ZipFile:
    got = await door.ask("GET", f"/api/v1/portfolio{query}", user)
    assert got.status == 200, got.body
    assert got.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(got.body))


def manifest(found: zipfile.ZipFile) -> Any:
    return msgspec.json.decode(found.read("manifest.json"))


def states(found: zipfile.ZipFile) -> dict[str, set[str]]:
    files = manifest(found)["files"]
    return {state: {f["document_id"] for f in files if f["state"] == state} for state in {f["state"] for f in files}}
