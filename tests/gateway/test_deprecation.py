"""Whoever still uses a route that will go is told so in every answer, and in the document."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.deprecation import RETIRING, Retirement
from gateway.openapi import merge
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_gateway, everywhere, upstream_to
from tests.journeys.routes import DOCUMENT

OPERATION = {"operationId": "x", "deprecated": True, "responses": {"200": {"description": "ok"}}}
SERVICE: dict[str, Any] = {
    "paths": {"/api/v1/factories": {"get": OPERATION, "post": OPERATION}, "/api/v1/buyers": {"get": OPERATION}}
}
TABLE = {
    ("get", "/api/v1/factories"): Retirement("2026-01-05", "2027-01-05", "/api/v2/factories"),
    ("get", "/api/v1/buyers"): Retirement("2026-01-05"),
}
MERGED = merge({"access": SERVICE}, retiring=TABLE)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to("inprocess", Scripted()) as upstream,
        a_gateway(tmp_path, everywhere(upstream), FedConsent(), document=MERGED) as door,
    ):
        yield door


async def test_an_answer_says_since_when_until_when_and_what_instead(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/factories", "admin")
    assert got.headers["deprecation"] == "@1767571200"
    assert got.headers["sunset"] == "Tue, 05 Jan 2027 00:00:00 GMT"
    assert got.headers["link"] == '</api/v2/factories>; rel="successor-version"'


async def test_a_refusal_says_so_too(door: Door) -> None:
    assert (await door.ask("GET", "/api/v1/factories")).headers["deprecation"] == "@1767571200"
    assert (await door.ask("HEAD", "/api/v1/factories")).headers["deprecation"] == "@1767571200"


async def test_a_route_without_a_last_day_has_no_sunset(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/buyers", "admin")
    assert ("deprecation" in got.headers, "sunset" in got.headers) == (True, False)


async def test_what_stays_says_nothing(door: Door) -> None:
    got = await door.ask("POST", "/api/v1/factories", "admin", json={})
    assert not {"deprecation", "sunset"} & set(got.headers)


def test_the_document_marks_what_the_table_lists_and_nothing_else() -> None:
    operations = MERGED["paths"]["/api/v1/factories"]
    assert operations["get"]["deprecated"] is True
    assert {"Deprecation", "Sunset"} <= set(operations["get"]["responses"]["200"]["headers"])
    assert "deprecated" not in operations["post"]


def test_the_committed_document_says_what_the_table_says() -> None:
    marked = {(m, p) for p, found in DOCUMENT["paths"].items() for m, each in found.items() if each.get("deprecated")}
    assert marked == set(RETIRING)
