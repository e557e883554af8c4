"""A participant sees the cycles that it paid for and no other; a disclosure needs neither consent nor credit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import aiohttp
import pytest

from contracts.access import EntryKind
from contracts.identity import Principal, Shared
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.runtime.identity import Verifier, verify_key_of
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_gateway, everywhere, upstream_to
from tests.support.services import SIGNING_KEY

DAY = date(2020, 1, 1)
PATHS = ("/api/v1/reports/r1", "/api/v1/reports/r1/file")


class Ledger(FedConsent):
    """A consent ledger on which buyer b1 is a participant."""

    def grant(self) -> None:
        self._add(EntryKind.GRANT_GIVEN, "g1", "f1", "b1", kinds=COMPLIANCE_KINDS, starts_on=DAY)

    def pay(self, cycle: int) -> None:
        self._add(EntryKind.ENTITLEMENT_GIVEN, f"e{cycle}", "f1", "b1", cycles=(cycle,), starts_on=DAY, credits=1)

    def end_payment(self, cycle: int) -> None:
        self._add(EntryKind.ENTITLEMENT_ENDED, f"e{cycle}", "f1", "b1", credits=1)

    def disclose(self, *kinds: ReportKind, cycles: tuple[int, ...] = (), ends_on: date | None = None) -> None:
        told = {"kinds": kinds, "cycles": cycles, "starts_on": DAY, "ends_on": ends_on}
        self._add(EntryKind.DISCLOSURE_MADE, "d1", "f1", "b1", **told)

    def end_disclosure(self) -> None:
        self._add(EntryKind.DISCLOSURE_ENDED, "d1", "f1", "b1")


@pytest.fixture
def service() -> Scripted:
    return Scripted(body=b"the report")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def door(service: Scripted, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to("inprocess", service) as upstream,
        a_gateway(tmp_path, everywhere(upstream), ledger) as door,
    ):
        yield door


def is_of(service: Scripted, cycle: int, kind: ReportKind = ReportKind.ASSESSMENT) -> None:
    """Everything that the service gives out from now on is of this cycle and kind."""
    marks = {b"star-factory": b"f1", b"star-kind": kind.encode(), b"star-cycle": str(cycle).encode()}
    service.headers = [*marks.items(), (b"content-type", b"application/pdf")]


async def statuses(door: Door, service: Scripted, cycle: int, kind: ReportKind = ReportKind.ASSESSMENT) -> set[int]:
    is_of(service, cycle, kind)
    return {(await door.ask("GET", path, "buyer")).status for path in PATHS}


async def told(door: Door, service: Scripted) -> Principal:
    """What a service that is asked for a list hears of the caller."""
    service.headers, service.body = [(b"content-type", b"application/json")], b'{"items":[],"next_cursor":null}'
    assert (await door.ask("GET", "/api/v1/reports", "buyer")).status == 200
    service.body = b"the report"
    return Verifier(verify_key_of(SIGNING_KEY)).principal(service.seen[-1].headers["authorization"])


async def test_a_grant_shows_a_participant_nothing_until_it_is_paid(
    door: Door, service: Scripted, ledger: Ledger
) -> None:
    ledger.grant()
    await ledger.heard()
    assert await statuses(door, service, 1) == {404}
    assert not (await told(door, service)).scope().factories
    ledger.pay(1)
    await ledger.heard()
    assert await statuses(door, service, 1) == {200}


async def test_what_is_paid_shows_nothing_without_a_grant(door: Door, service: Scripted, ledger: Ledger) -> None:
    ledger.pay(1)
    await ledger.heard()
    assert await statuses(door, service, 1) == {404}


@pytest.mark.parametrize("kind", COMPLIANCE_KINDS)
async def test_a_participant_sees_the_cycle_it_paid_for_and_no_other(
    door: Door, service: Scripted, ledger: Ledger, kind: ReportKind
) -> None:
    ledger.grant()
    ledger.pay(2)
    await ledger.heard()
    assert {cycle: await statuses(door, service, cycle, kind) for cycle in (1, 2, 3)} == {1: {404}, 2: {200}, 3: {404}}
    shares = (await told(door, service)).shares
    assert shares[kind] == Shared(by_cycle=((2, frozenset({"f1"})),))
    assert shares.get(ReportKind.QUALITY_PRODUCTIVITY, Shared()) == Shared()


async def test_an_entitlement_that_ends_cuts_a_download(door: Door, service: Scripted, ledger: Ledger) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    ledger.grant()
    ledger.pay(2)
    await ledger.heard()
    is_of(service, 2)
    service.chunks = chunks
    headers = {"authorization": f"Bearer {await door.token('buyer')}"}
    answer = await door.http.get(f"{door.url}{PATHS[1]}", headers=headers)
    await answer.content.readany()
    ledger.end_payment(2)
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(2):
            await answer.content.read()
    answer.close()
    service.chunks = None
    assert await statuses(door, service, 2) == {404}


async def test_a_disclosure_shows_its_kind_and_cycles_without_consent_and_credit_until_it_ends(
    door: Door, service: Scripted, ledger: Ledger
) -> None:
    ledger.disclose(ReportKind.ASSESSMENT, cycles=(2,))
    await ledger.heard()
    assert [await statuses(door, service, cycle) for cycle in (1, 2)] == [{404}, {200}]
    assert await statuses(door, service, 2, ReportKind.IMPROVEMENT_PLAN) == {404}
    ledger.end_disclosure()
    await ledger.heard()
    assert await statuses(door, service, 2) == {404}


async def test_a_disclosure_is_over_after_its_last_day(door: Door, service: Scripted, ledger: Ledger) -> None:
    ledger.disclose(ReportKind.ASSESSMENT, ends_on=date(2020, 1, 31))
    await ledger.heard()
    assert await statuses(door, service, 2) == {404}


async def test_a_gateway_that_starts_anew_decides_alike(
    door: Door, service: Scripted, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.grant()
    ledger.pay(2)
    ledger.disclose(ReportKind.IMPROVEMENT_PLAN, cycles=(7,))
    await ledger.heard()
    async with (
        upstream_to("inprocess", service) as upstream,
        a_gateway(tmp_path / "anew", everywhere(upstream), ledger) as again,
    ):
        await ledger.heard(gateways=2)
        for each in (door, again):
            assert [await statuses(each, service, cycle) for cycle in (1, 2)] == [{404}, {200}]
            assert await statuses(each, service, 7, ReportKind.IMPROVEMENT_PLAN) == {200}
