"""A revocation is durable at once and answered only when no gateway can decide without it."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts.access import ConsentAnswer, GrantRevokedV1
from services.access.domain.lease import Leases
from tests.access.parties import FACTORY, GATEWAY, LEASE_S, OTHER_FACTORY, a_grant, access
from tests.support.eventually import eventually
from tests.support.services import Running, signed


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with a grant, after the leases that an earlier process might have given."""
    async with access(tmp_path) as running:
        await running.post("/api/v1/grants", FACTORY, a_grant())
        await follow(running)
        await asyncio.sleep(LEASE_S)
        yield running


async def follow(
    service: Running, name: str = "gw", after: int = 0, wait_s: float = 0.0, hash_: str = ""
) -> httpx.Response:
    return await service.get(f"/internal/consent?gateway={name}&after={after}&hash={hash_}&wait_s={wait_s}", GATEWAY)


async def revoke(service: Running, grant_id: str = "g1") -> httpx.Response:
    return await service.http.delete(f"/api/v1/grants/{grant_id}", headers=signed(FACTORY))


async def test_without_a_gateway_a_revocation_is_in_force_at_once(service: Running) -> None:
    began = time.monotonic()
    assert (await revoke(service)).status_code == 204
    assert time.monotonic() - began < LEASE_S / 2
    (event,) = await service.until_announced(GrantRevokedV1)
    assert event.epoch == 3


async def test_a_revocation_waits_for_a_silent_gateway_until_its_lease_ran_out(service: Running) -> None:
    began = time.monotonic()
    await follow(service)
    assert (await revoke(service)).status_code == 204
    assert LEASE_S * 0.9 < time.monotonic() - began < LEASE_S * 2


async def test_a_revocation_returns_as_soon_as_the_gateway_acknowledges(service: Running) -> None:
    hash_ = (await follow(service)).json()["entries"][-1]["hash"]
    began = time.monotonic()
    revoking = asyncio.create_task(revoke(service))
    answer = (await follow(service, after=2, hash_=hash_, wait_s=5)).json()
    assert [entry["kind"] for entry in answer["entries"]] == ["grant_revoked"]
    assert not revoking.done()
    acknowledging = asyncio.create_task(follow(service, after=3, hash_=answer["entries"][0]["hash"], wait_s=5))
    assert (await revoking).status_code == 204
    assert time.monotonic() - began < LEASE_S * 0.7
    await acknowledging


async def test_one_gateway_s_word_does_not_count_for_another(service: Running) -> None:
    hash_ = (await follow(service, "gw1")).json()["entries"][-1]["hash"]
    await follow(service, "gw2")
    began = time.monotonic()
    revoking = asyncio.create_task(revoke(service))
    answer = (await follow(service, "gw1", after=2, hash_=hash_, wait_s=5)).json()
    await follow(service, "gw1", after=3, hash_=answer["entries"][0]["hash"])
    assert (await revoking).status_code == 204
    assert time.monotonic() - began > LEASE_S * 0.8


async def test_after_a_start_a_revocation_waits_for_leases_it_cannot_know(tmp_path: Path) -> None:
    async with access(tmp_path) as first:
        await first.post("/api/v1/grants", FACTORY, a_grant())
        await follow(first)
    async with access(tmp_path, is_new=False) as second:
        began = time.monotonic()
        assert (await revoke(second)).status_code == 204
        assert time.monotonic() - began > LEASE_S * 0.9


async def test_revoking_again_is_answered_alike_and_waits_alike(service: Running) -> None:
    assert (await revoke(service)).status_code == 204
    assert (await revoke(service)).status_code == 204
    await follow(service)
    assert (await service.get("/api/v1/grants/g1", FACTORY)).json()["revoked_epoch"] == 3


async def test_a_caller_who_leaves_has_revoked_all_the_same(service: Running) -> None:
    await follow(service)
    revoking = asyncio.create_task(revoke(service))

    async def is_recorded() -> bool:
        return bool((await service.get("/api/v1/grants/g1", FACTORY)).json()["revoked_epoch"] == 3)

    await asyncio.sleep(0)
    await eventually(is_recorded, saying="the revocation is recorded")
    revoking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await revoking
    assert await is_recorded()


async def test_another_factory_cannot_revoke(service: Running) -> None:
    answer = await service.http.delete("/api/v1/grants/g1", headers=signed(OTHER_FACTORY))
    assert answer.status_code == 404
    assert (await revoke(service, "g2")).status_code == 404
    assert (await service.get("/api/v1/grants/g1", FACTORY)).json()["revoked_epoch"] is None


async def test_the_poll_waits_for_news_but_not_beyond_a_third_of_a_lease(service: Running) -> None:
    hash_ = (await follow(service)).json()["entries"][-1]["hash"]
    began = time.monotonic()
    answer = (await follow(service, after=2, hash_=hash_, wait_s=30)).json()
    assert answer == {"entries": [], "epoch": 2, "lease_s": LEASE_S}
    assert LEASE_S * 0.3 < time.monotonic() - began < LEASE_S * 0.6


@pytest.mark.parametrize(("after", "hash_"), [(2, "f" * 64), (3, "f" * 64), (2, "")])
async def test_a_gateway_on_another_ledger_is_sent_back_and_gets_no_lease(
    service: Running, after: int, hash_: str
) -> None:
    answer = await follow(service, after=after, hash_=hash_)
    assert (answer.status_code, answer.json()["code"]) == (409, "ledger_does_not_connect")
    began = time.monotonic()
    await revoke(service)
    assert time.monotonic() - began < LEASE_S / 2


async def test_of_two_processes_only_the_later_gives_leases_and_confirms(service: Running, tmp_path: Path) -> None:
    await follow(service)
    async with access(tmp_path, is_new=False) as later:
        assert (await follow(later)).status_code == 200
        answer = await follow(service)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_in_charge")
        assert (await service.http.get("/health/ready")).json()["failing"] == {"consent": "NotInCharge"}
        began = time.monotonic()
        assert (await revoke(later)).status_code == 204
        assert time.monotonic() - began > LEASE_S / 2
        assert (await revoke(service)).status_code == 503
        assert (await later.get("/api/v1/grants/g1", FACTORY)).json()["revoked_epoch"] == 3


async def test_the_answer_to_a_gateway_says_how_long_it_holds(service: Running) -> None:
    answer = ConsentAnswer(**(await follow(service)).json())
    assert (answer.epoch, answer.lease_s) == (2, LEASE_S)


def test_a_lease_that_ran_out_stands_in_nobody_s_way() -> None:
    leases = Leases(unknown_until=0.0, unknown_epoch=0).extended("gw", 1, now=10.0, lease_s=5.0)
    assert leases.in_the_way(2, given=1, now=14.9) == 15.0
    assert leases.in_the_way(2, given=1, now=15.0) is None
    assert leases.in_the_way(1, given=1, now=10.0) is None


def test_an_unknown_lease_stands_in_the_way_of_what_it_may_know_only() -> None:
    leases = Leases(unknown_until=20.0, unknown_epoch=7)
    assert leases.in_the_way(9, given=7, now=10.0) == 20.0
    assert leases.in_the_way(9, given=8, now=10.0) is None


def test_an_older_question_does_not_shorten_a_lease() -> None:
    leases = Leases(unknown_until=0.0, unknown_epoch=0).extended("gw", 2, now=10.0, lease_s=5.0).acknowledged("gw", 1)
    assert leases.in_the_way(2, given=1, now=10.0) == 15.0
