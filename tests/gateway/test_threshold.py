"""A request has a length and an answer has a time: nobody waits for ever, and nothing without end is taken."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import app, body
from gateway.threshold import MOST_HEADER_BYTES, MOST_HEADERS
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_gateway, everywhere, upstream_to


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
async def door(service: Scripted, tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to("inprocess", service) as upstream,
        a_gateway(tmp_path, everywhere(upstream), FedConsent()) as door,
    ):
        yield door


async def test_too_many_headers_are_refused(door: Door, service: Scripted) -> None:
    headers = {f"x-{number}": "1" for number in range(MOST_HEADERS)}
    got = await door.ask("GET", "/api/v1/reports", "admin", headers=headers)
    assert (got.status, got.json()["code"]) == (431, "headers_too_large")
    assert service.seen == []


async def test_headers_that_are_too_long_are_refused(door: Door, service: Scripted) -> None:
    headers = {f"x-{number}": "1" * 8000 for number in range(MOST_HEADER_BYTES // 8000 + 1)}
    got = await door.ask("GET", "/api/v1/reports", "admin", headers=headers)
    assert (got.status, got.json()["code"]) == (431, "headers_too_large")
    assert service.seen == []


async def test_an_address_that_is_too_long_is_refused(door: Door, service: Scripted) -> None:
    got = await door.ask("GET", "/api/v1/reports?x=" + "y" * 17_000, "admin")
    assert (got.status, got.json()["code"]) == (414, "address_too_long")
    assert service.seen == []


async def test_an_answer_that_does_not_begin_in_time_is_not_waited_for(
    door: Door, service: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BEGINS_IN_S", 0.3)
    service.hold = asyncio.Event()
    got = await door.ask("GET", "/api/v1/reports", "admin")
    assert (got.status, got.json()["code"]) == (503, "service_not_available")
    assert service.cancelled == 1


async def test_an_answer_that_has_begun_may_take_its_time(
    door: Door, service: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x"
            await asyncio.sleep(0.15)

    monkeypatch.setattr(app, "BEGINS_IN_S", 0.3)
    service.chunks, service.headers = chunks, [(b"content-type", b"application/pdf")]
    assert (await door.ask("GET", "/api/v1/reports/r1/file", "admin")).body == b"xxxxx"


async def test_a_body_that_drips_is_not_waited_for_for_ever(
    door: Door, service: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    monkeypatch.setattr(body, "LONGEST_S", 0.4)
    got = await door.ask("POST", "/api/v1/visits/v1/evidence", "admin", data=drops())
    assert (got.status, got.json()["code"]) == (408, "body_stalled")
    assert service.seen == []


async def test_a_slow_body_is_waited_for_longer_than_an_answer(
    door: Door, service: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"x"
            await asyncio.sleep(0.1)

    monkeypatch.setattr(app, "BEGINS_IN_S", 0.3)
    assert (await door.ask("POST", "/api/v1/visits/v1/evidence", "admin", data=drops())).status == 200
    assert service.seen[0].body == b"xxxxxxxx"
