"""Every list comes as JSON or as a table, and says where it goes on."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.columns import columns_of, table
from gateway.routes import Routes
from tests.gateway.feed import FedConsent
from tests.gateway.listing import HEADER, LISTING
from tests.gateway.running import Door, Got, Scripted, a_gateway, everywhere, upstream_to
from tests.journeys.routes import DOCUMENT

ITEM: dict[str, Any] = {
    "id": "r1",
    "place": {"city": "Irbid, north", "street": 'the "old" one\nleft'},
    "kinds": ["a", "b"],
    "titles": {"ar": "تقرير"},
    "count": -3,
    "is_open": True,
    "parent": {"id": "r0"},
}
COLUMNS = columns_of(LISTING, LISTING["paths"]["/api/v1/reports"]["get"]) or ()


def page(*items: dict[str, Any], cursor: str | None = None) -> bytes:
    return msgspec.json.encode({"items": items, "next_cursor": cursor})


def rows(got: Got) -> list[list[str]]:
    return list(csv.reader(io.StringIO(got.body.decode(), newline=""), strict=True))


@pytest.fixture
def service() -> Scripted:
    return Scripted(body=page(ITEM))


@pytest.fixture
async def door(service: Scripted, tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to("inprocess", service) as upstream,
        a_gateway(tmp_path, everywhere(upstream), FedConsent(), document=LISTING) as door,
    ):
        yield door


@pytest.mark.parametrize(
    ("query", "accept"),
    [("?format=csv", None), ("", "text/csv"), ("", "application/json;q=0.5, text/csv"), ("?format=csv", "*/*")],
)
async def test_a_list_comes_as_a_table_when_it_is_asked_for(door: Door, query: str, accept: str | None) -> None:
    headers = {"accept": accept} if accept else {}
    got = await door.ask("GET", f"/api/v1/reports{query}", "admin", headers=headers)
    assert got.status == 200
    assert got.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert int(got.headers["content-length"]) == len(got.body)
    assert got.body.decode().splitlines()[0] == HEADER


@pytest.mark.parametrize(
    ("query", "accept"),
    [("", "*/*"), ("", "application/json, text/csv;q=0.9"), ("?format=json", "text/csv"), ("", "text/html")],
)
async def test_a_list_is_json_otherwise(door: Door, query: str, accept: str) -> None:
    got = await door.ask("GET", f"/api/v1/reports{query}", "admin", headers={"accept": accept})
    assert got.json()["items"][0]["id"] == "r1"


@pytest.mark.parametrize("weight", ["1e999", "-1e999"])
async def test_a_weight_beyond_all_numbers_is_refused(door: Door, service: Scripted, weight: str) -> None:
    got = await door.ask("GET", "/api/v1/reports", "admin", headers={"accept": f"text/csv;q={weight}"})
    assert (got.status, got.json()["code"]) == (400, "malformed")
    assert service.seen == []


async def test_an_unknown_format_is_refused(door: Door, service: Scripted) -> None:
    got = await door.ask("GET", "/api/v1/reports?format=xlsx", "admin")
    assert (got.status, got.json()["code"]) == (400, "malformed")
    assert service.seen == []


async def test_the_format_is_the_gateway_s_business(door: Door, service: Scripted) -> None:
    await door.ask("GET", "/api/v1/reports?limit=3&format=csv&cycle=2", "admin", headers={"if-none-match": '"x"'})
    assert service.seen[0].query == "limit=3&cycle=2"
    assert "if-none-match" not in service.seen[0].headers


async def test_what_is_no_list_has_no_table(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1?format=csv", "admin", headers={"accept": "text/csv"})
    assert got.headers["content-type"] == "application/json"


async def test_every_value_has_its_place_in_the_table(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports?format=csv", "admin")
    assert rows(got)[1] == [
        "r1",
        "Irbid, north",
        'the "old" one\nleft',
        '["a","b"]',
        '{"ar":"تقرير"}',
        "-3",
        "true",
        '{"id":"r0"}',
    ]


@pytest.mark.parametrize("items", [(), ({"id": "r1"},), ({"id": "r1", "place": None, "new": 1},)])
def test_columns_do_not_depend_on_what_is_in_the_list(items: tuple[dict[str, Any], ...]) -> None:
    lines = table(COLUMNS, page(*items)).decode().split("\r\n")
    assert lines[0] == HEADER
    assert lines[1:-1] == ["r1,,,,,,,"] * len(items)
    assert lines[-1] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    found = table(COLUMNS, page({"id": f"{start}cmd|' /C calc'!A0"})).decode()
    (_, row) = csv.reader(io.StringIO(found, newline=""), strict=True)
    assert row[0] == f"'{start}cmd|' /C calc'!A0"


async def test_a_page_says_where_the_next_one_is_in_either_form(door: Door, service: Scripted) -> None:
    service.body = page(ITEM, cursor="a/b=")
    for query in ("", "&format=csv"):
        got = await door.ask("GET", f"/api/v1/reports?cycle=1&cursor=old{query}", "admin")
        assert got.headers["link"] == f'</api/v1/reports?cycle=1{query}&cursor=a%2Fb%3D>; rel="next"'


async def test_a_link_cannot_be_broken_out_of(door: Door, service: Scripted) -> None:
    service.body = page(cursor="c")
    host, port = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    token = await door.token("admin")
    head = f'GET /api/v1/reports?a=>;rel="next" HTTP/1.1\r\nhost: star\r\nauthorization: Bearer {token}\r\n'
    writer.write(f"{head}connection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert 'link: </api/v1/reports?a=%3E;rel=%22next%22&cursor=c>; rel="next"' in answer


async def test_the_last_page_links_nowhere(door: Door) -> None:
    assert "link" not in (await door.ask("GET", "/api/v1/reports", "admin")).headers


async def test_a_table_has_a_validator_of_its_own(door: Door) -> None:
    as_json = await door.ask("GET", "/api/v1/reports", "admin")
    as_csv = await door.ask("GET", "/api/v1/reports?format=csv", "admin")
    assert as_json.headers["etag"] != as_csv.headers["etag"]
    same = {"if-none-match": as_csv.headers["etag"]}
    assert (await door.ask("GET", "/api/v1/reports?format=csv", "admin", headers=same)).status == 304


async def test_a_page_that_is_too_large_for_a_table_says_so(door: Door, service: Scripted) -> None:
    service.body = page({"id": "x" * 5 * 1024 * 1024})

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(service.body), 65536):
            yield service.body[start : start + 65536]

    service.chunks = chunks
    got = await door.ask("GET", "/api/v1/reports?format=csv", "admin")
    assert (got.status, got.json()["code"]) == (400, "page_too_large")


async def test_a_refusal_is_a_problem_whatever_form_was_wanted(door: Door, service: Scripted) -> None:
    service.status, service.headers = 403, [(b"content-type", b"application/problem+json")]
    got = await door.ask("GET", "/api/v1/reports?format=csv", "admin")
    assert (got.status, got.headers["content-type"]) == (403, "application/problem+json")


def test_every_list_of_star_has_a_table() -> None:
    routes = Routes(DOCUMENT)
    lists = [path for path, found in DOCUMENT["paths"].items() if _is_page(found.get("get", {}))]
    assert len(lists) >= 8
    for path in lists:
        route = routes.find(path)
        assert route is not None
        assert route.columns
        assert len(set(route.columns)) == len(route.columns)


def _is_page(operation: dict[str, Any]) -> bool:
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return "next_cursor" in DOCUMENT["components"]["schemas"].get(name, {}).get("properties", {})
