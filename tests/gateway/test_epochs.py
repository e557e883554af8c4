"""A caller that knows of a change never gets an answer from before it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.feed import LEASE_S, FedConsent
from tests.gateway.running import Door, Scripted, a_following_gateway


@pytest.fixture
def service() -> Scripted:
    return Scripted(body=b'{"items": [], "next_cursor": null}')


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1")


@pytest.fixture
async def door(service: Scripted, consent: FedConsent, tmp_path: Path) -> AsyncIterator[Door]:
    async with a_following_gateway("inprocess", service, consent, tmp_path) as door:
        yield door


def at_least(epoch: object) -> dict[str, str]:
    return {"at-least-epoch": str(epoch)}


async def test_what_is_known_already_is_answered_at_once(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports", "buyer", headers=at_least(2))
    assert (got.status, got.headers["star-epoch"]) == (200, "2")


async def test_a_caller_waits_until_the_gateway_has_heard(door: Door, service: Scripted, consent: FedConsent) -> None:
    asking = asyncio.create_task(door.ask("GET", "/api/v1/reports", "buyer", headers=at_least(3)))
    await asyncio.sleep(0.1)
    assert service.seen == []
    consent.give("g2", "f2")
    got = await asking
    assert (got.status, got.headers["star-epoch"]) == (200, "3")


@pytest.mark.parametrize("user", ["buyer", "admin", "factory"])
async def test_an_epoch_that_does_not_come_is_not_waited_for_long(door: Door, service: Scripted, user: str) -> None:
    began = time.monotonic()
    got = await door.ask("GET", "/api/v1/reports", user, headers=at_least(9))
    assert (got.status, got.json()["code"], got.headers["retry-after"]) == (503, "epoch_not_reached", "2")
    assert LEASE_S <= time.monotonic() - began < LEASE_S + 1
    assert service.seen == []


@pytest.mark.parametrize("told", ["", "-1", "1.0", "x", "0x1", "1" * 16, "\u0661"])
async def test_what_is_no_epoch_is_refused(door: Door, service: Scripted, told: str) -> None:
    got = await door.ask("GET", "/api/v1/reports", "buyer", headers=at_least(told))
    assert (got.status, got.json()["code"]) == (400, "malformed")
    assert service.seen == []


async def test_a_refusal_to_a_buyer_names_the_epoch(door: Door, service: Scripted, consent: FedConsent) -> None:
    service.headers += [(b"star-factory", b"f2"), (b"star-kind", b"assessment")]
    unseen = await door.ask("GET", "/api/v1/reports/r2", "buyer")
    malformed = await door.ask("GET", "/api/v1/reports", "buyer", headers=at_least("x"))
    await door.no_lease(consent)
    unknown = await door.ask("GET", "/api/v1/reports", "buyer")
    assert [(got.status, got.headers["star-epoch"]) for got in (unseen, malformed, unknown)] == [
        (404, "2"),
        (400, "2"),
        (503, "2"),
    ]


async def test_others_are_not_told_of_epochs(door: Door) -> None:
    for user in ("admin", "factory"):
        assert "star-epoch" not in (await door.ask("GET", "/api/v1/reports", user)).headers
