"""Pages of the origins that the country names may call from a browser; no other page reads anything."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cors import ASKED, Origins
from gateway.inprocess import InProcessUpstream
from services.runtime.settings import InvalidSettings
from tests.gateway.feed import FedConsent
from tests.gateway.running import (
    Door,
    Scripted,
    a_gateway,
    everywhere,
)
from tests.journeys.routes import DOCUMENT as PUBLIC

PORTAL, STRANGER = "https://portal.example.org", "https://portal.example.org.evil.example"
QUESTION = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}


@contextlib.asynccontextmanager
async def a_door(folder: Path, service: Scripted, **settings: Any) -> AsyncIterator[Door]:
    upstreams = everywhere(InProcessUpstream(service))
    async with a_gateway(folder, upstreams, FedConsent(), settings=settings) as door:
        yield door


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(service: Scripted, tmp_path: Path) -> AsyncIterator[Door]:
    async with a_door(tmp_path, service, cors_origins=f"http://localhost:3000 {PORTAL}", hsts_s=600) as door:
        yield door


async def test_a_browser_is_told_what_its_page_may_ask(door: Door, service: Scripted) -> None:
    got = await door.ask("OPTIONS", "/api/v1/reports", headers={"origin": PORTAL, **QUESTION})
    assert got.status == 204
    assert got.headers["access-control-allow-origin"] == PORTAL
    assert "DELETE" in got.headers["access-control-allow-methods"]
    assert {"authorization", "idempotency-key", "if-none-match"} <= set(
        got.headers["access-control-allow-headers"].split(", ")
    )
    assert got.headers["vary"] == "origin"
    assert service.seen == []


async def test_a_page_reads_the_answer_and_its_headers(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"origin": PORTAL})
    assert got.headers["access-control-allow-origin"] == PORTAL
    told = set(got.headers["access-control-expose-headers"].split(", "))
    assert {"etag", "link", "star-epoch", "ratelimit", "retry-after"} <= told


async def test_a_page_reads_refusals_too(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", headers={"origin": PORTAL})
    assert (got.status, got.headers["access-control-allow-origin"]) == (401, PORTAL)


@pytest.mark.parametrize("origin", [STRANGER, "null", "*", "https://PORTAL.example.org", "http://portal.example.org"])
async def test_another_page_reads_nothing(door: Door, origin: str) -> None:
    asked = await door.ask("OPTIONS", "/api/v1/reports", headers={"origin": origin, **QUESTION})
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"origin": origin})
    assert asked.status == 405
    for answer in (asked, got):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "origin" in answer.headers["vary"]


async def test_credentials_are_never_allowed(door: Door) -> None:
    got = await door.ask("OPTIONS", "/api/v1/reports", headers={"origin": PORTAL, **QUESTION})
    assert "access-control-allow-credentials" not in got.headers


async def test_without_named_origins_nobody_is_told_anything(service: Scripted, tmp_path: Path) -> None:
    async with a_door(tmp_path, service) as door:
        assert (await door.ask("OPTIONS", "/api/v1/reports", headers={"origin": PORTAL, **QUESTION})).status == 405
        got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"origin": PORTAL})
        assert not [name for name in got.headers if name.startswith("access-control-")]
        assert "strict-transport-security" not in got.headers


async def test_behind_tls_browsers_are_told_to_stay_there(door: Door) -> None:
    for path, user in (("/", None), ("/api/v1/reports/r1", "admin"), ("/nowhere", None)):
        got = await door.ask("GET", path, user)
        assert got.headers["strict-transport-security"] == "max-age=600; includeSubDomains"


@pytest.mark.parametrize(
    "named", ["*", "https://a.example/", "https://a.example/path", "a.example", "null", "https://*.example.org"]
)
def test_what_is_no_origin_is_no_setting(named: str) -> None:
    with pytest.raises(InvalidSettings, match="STAR_CORS_ORIGINS"):
        Origins(named)


def test_a_page_may_send_every_header_that_the_document_lists() -> None:
    names = {each["name"].lower() for each in PUBLIC["components"]["parameters"].values() if each["in"] == "header"}
    assert names <= set(ASKED.decode().split(", "))
