"""A list that comes as a table still tells what it tells beside its items: a client goes on, a sum comes out."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Got, Scripted, a_following_gateway
from tests.journeys.routes import DOCUMENT

TOLD: dict[str, dict[str, Any]] = {
    "changes": {"changed_since": "WzEsWzQsOF1d"},
    "statement": {"opening_balance": 12, "closing_balance": -3},
    "terms-acceptances": {"current": {"version": "2026", "title": "الشروط"}, "missing": None},
    "aggregates/compliance-points": {"cycle": 3, "industry": None, "formula_version": "1"},
    "visits/v1/findings": {"visit_id": "v1", "stage": "finalised"},
}


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(service: Scripted, tmp_path: Path) -> AsyncIterator[Door]:
    async with a_following_gateway("http", service, FedConsent(), tmp_path, document=DOCUMENT) as door:
        yield door


async def asked(door: Door, service: Scripted, path: str, told: dict[str, Any], **headers: str) -> Got:
    service.body = msgspec.json.encode({"items": [], **told})
    return await door.ask("GET", f"/api/v1/{path}?format=csv", "admin", headers=headers)


@pytest.mark.parametrize("path", TOLD)
async def test_what_a_list_tells_beside_its_items_comes_with_the_table(
    door: Door, service: Scripted, path: str
) -> None:
    got = await asked(door, service, path, TOLD[path])
    assert got.headers["content-type"].startswith("text/csv")
    assert len(list(csv.reader(io.StringIO(got.body.decode(), newline="")))) == 1
    assert got.headers["star-page"].isascii()
    assert msgspec.json.decode(got.headers["star-page"]) == TOLD[path]


async def test_a_table_with_the_same_rows_is_another_one_when_that_has_changed(door: Door, service: Scripted) -> None:
    first = await asked(door, service, "changes", {"changed_since": "one"})
    known = {"if-none-match": first.headers["etag"]}
    assert (await asked(door, service, "changes", {"changed_since": "one"}, **known)).status == 304
    assert (await asked(door, service, "changes", {"changed_since": "two"}, **known)).status == 200


async def test_a_list_that_tells_nothing_beside_its_items_has_no_such_header(door: Door, service: Scripted) -> None:
    assert "star-page" not in (await asked(door, service, "reports", {"next_cursor": None})).headers


async def test_in_json_it_stays_where_it_is(door: Door, service: Scripted) -> None:
    service.body = msgspec.json.encode({"items": [], **TOLD["changes"]})
    got = await door.ask("GET", "/api/v1/changes", "admin")
    assert got.json()["changed_since"] == TOLD["changes"]["changed_since"]
    assert "star-page" not in got.headers
