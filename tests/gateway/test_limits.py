"""Whoever asks too often is told when to come back; whoever sends good tokens is never locked out by others."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.identity import Role
from gateway.dev_issuer import DevUser
from tests.gateway.feed import FedConsent
from tests.gateway.running import (
    USERS,
    Door,
    Got,
    Scripted,
    a_following_gateway,
)

COLLEAGUE = DevUser("colleague", "Another buyer's person", frozenset({Role.BUYER}), "b1")
FORGED = {"authorization": "Bearer x.y.z"}
EMPTY = b'{"items": [], "next_cursor": null}'


@contextlib.asynccontextmanager
async def limited(folder: Path, **settings: Any) -> AsyncIterator[Door]:
    consent = FedConsent()
    consent.give("g1", "f1")
    options = {"settings": settings, "dev_users": [*USERS, COLLEAGUE]}
    async with a_following_gateway("inprocess", Scripted(body=EMPTY), consent, folder, **options) as door:
        yield door


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with limited(tmp_path, rate_per_s=0.1, rate_burst=3) as door:
        yield door


@pytest.fixture
async def wary(tmp_path: Path) -> AsyncIterator[Door]:
    async with limited(tmp_path, failures_per_s=0.01, failure_burst=2) as door:
        yield door


async def forged(door: Door, address: str) -> Got:
    return await door.ask("GET", "/api/v1/reports", headers={**FORGED, "x-forwarded-for": address})


async def test_every_answer_says_what_is_left(door: Door) -> None:
    first, second = [await door.ask("GET", "/api/v1/reports", "admin") for _ in range(2)]
    assert first.headers["ratelimit-policy"] == '"caller";q=3;w=30'
    assert first.headers["ratelimit"] == '"caller";r=2;t=10'
    assert second.headers["ratelimit"].startswith('"caller";r=1;')


async def test_whoever_asks_too_often_is_told_when_to_come_back(door: Door) -> None:
    got = [await door.ask("GET", "/api/v1/reports", "admin") for _ in range(4)][-1]
    assert (got.status, got.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(got.headers["retry-after"]) <= 10
    assert got.headers["ratelimit"].startswith('"caller";r=0;')
    assert got.headers["content-type"] == "application/problem+json"


async def test_one_caller_s_haste_is_not_another_s(door: Door) -> None:
    for _ in range(4):
        await door.ask("GET", "/api/v1/reports", "admin")
    assert (await door.ask("GET", "/api/v1/reports", "factory")).status == 200


async def test_who_names_no_party_of_its_own_is_counted_as_well(door: Door) -> None:
    got = [await door.ask("GET", "/api/v1/reports", "factory", headers={"star-party": "f9"}) for _ in range(4)]
    assert [each.status for each in got] == [403, 403, 403, 429]


async def test_the_people_of_a_buyer_share_its_bucket(door: Door) -> None:
    for _ in range(3):
        assert (await door.ask("GET", "/api/v1/reports", "buyer")).status == 200
    assert (await door.ask("GET", "/api/v1/reports", "colleague")).status == 429


async def test_forged_tokens_are_soon_answered_with_a_pause(wary: Door) -> None:
    assert [(await forged(wary, "203.0.113.7")).status for _ in range(3)] == [401, 401, 429]
    got = await forged(wary, "203.0.113.7")
    assert (got.json()["code"], int(got.headers["retry-after"]) > 1) == ("too_many_failures", True)


async def test_another_address_is_not_blamed(wary: Door) -> None:
    for _ in range(3):
        await forged(wary, "203.0.113.7")
    assert (await forged(wary, "203.0.113.8")).status == 401


async def test_the_addresses_of_one_network_are_one(wary: Door) -> None:
    found = [(await forged(wary, f"2001:db8:1:1::{number}")).status for number in range(1, 4)]
    assert found == [401, 401, 429]
    assert (await forged(wary, "2001:db8:1:2::1")).status == 401


async def test_a_good_token_is_taken_from_an_address_that_sends_forged_ones(wary: Door) -> None:
    for _ in range(4):
        await forged(wary, "203.0.113.7")
    good = await wary.ask("GET", "/api/v1/reports", "admin", headers={"x-forwarded-for": "203.0.113.7"})
    assert good.status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_a_proxy_on_this_machine_is_not_blamed_for_whom_it_serves(wary: Door, address: str) -> None:
    assert [(await forged(wary, address)).status for _ in range(4)] == [401] * 4
