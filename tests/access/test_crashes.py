"""What a crash leaves out is made good by the process that comes after it, without anybody calling again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest

from contracts.identity import Role
from services.access.domain.agreement import Agreement, Side, Termination
from services.access.domain.buyer import Buyer, BuyerStatus
from services.access.domain.consent.facts import BuyerClosed, BuyerReopened, Fact, GrantGiven
from services.access.domain.consent.fold import Record
from services.access.domain.organisation import Organisation, OrganisationKind
from services.access.domain.paper import Paper
from services.access.evidence import Papers
from services.access.store.agreements import Agreements, Decision
from services.access.store.charge import NotInCharge
from services.access.store.ledger import Ledger
from services.access.usecases.agreements import TERMINATED, Agreeing
from services.access.usecases.grants import EVERYWHERE
from services.access.usecases.histories import WRITTEN_WITHIN, Histories
from services.runtime.documents import Documents
from services.runtime.files.directory import DirectoryFiles
from services.runtime.relay import Relay
from tests.access.entries import a_grant, an_agreement
from tests.access.parties import ADMIN, GATEWAY, access
from tests.access.processes import Process, two_on_sqlite
from tests.support.eventually import eventually
from tests.support.services import Running, a_principal

AMMAN = ZoneInfo("Asia/Amman")
NIGHT = datetime(2026, 3, 10, 22, 30, tzinfo=UTC)
"""In Amman it is tomorrow already."""

T = TypeVar("T")
LATER = NIGHT + WRITTEN_WITHIN
PAPERS = Papers(DirectoryFiles(Path("unused"), "access"))
LIN = a_principal(Role.BUYER, party_id="b1", subject="lin")
CLOSED = BuyerClosed(record_id="b1", buyer_id="b1", reason="A sanction")
REOPENED = BuyerReopened(record_id="b1", buyer_id="b1", reason="Lifted")


async def propose(agreements: Agreements, agreement_id: str) -> None:
    document = Paper(key="k", sha256="0" * 64, size=1, content_type="x", added_by="rana", added_at=NIGHT)
    proposed = an_agreement(agreement_id, starts_on=date(2026, 1, 1), proposed_at=NIGHT, document=document)
    agreement, event = proposed.proposed(NIGHT.date())
    await agreements.add(agreement, event, request=None)


async def over(agreements: Agreements, agreement_id: str) -> None:
    """Note that an agreement is over, and die before its grants are ended."""
    ending = Termination(side=Side.BUYER, reason="We part", by="lin", at=NIGHT)
    await agreements.change(agreement_id, lambda agreed: agreed.terminated(ending, NIGHT.date(), is_suspended=False))


def part(service: Running, name: str, kind: type[T]) -> T:
    """A part of a running service."""
    found = service.service.app.litestar.dependencies[name].dependency()  # type: ignore[union-attr]
    assert isinstance(found, kind)
    return found


class Slow(Agreements):
    """Takes its time after a writing."""

    def __init__(self, documents: Documents, relay: Relay) -> None:
        super().__init__(documents, source="JO/access", relay=relay)
        self.written = asyncio.Event()

    async def change(self, agreement_id: str, decide: Decision) -> Agreement:
        kept = await super().change(agreement_id, decide)
        self.written.set()
        await asyncio.sleep(0.05)
        return kept


class Healing(Process):
    """One process of access with what it looks after by itself."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents)
        self.agreements: Agreements = self.parties.agreements
        self.agreeing = Agreeing(self.agreements, self.parties, PAPERS, self.ledger, self.consent, zone=AMMAN)
        self.histories = Histories(self.parties, self.ledger, self.consent, zone=AMMAN)

    async def write(self, fact: Fact, *, by: str = "amir") -> None:
        await self.ledger.append(lambda _: fact, by=by, at=NIGHT)

    async def grant(self, grant_id: str) -> Record:
        record = (await self.ledger.current()).record(grant_id)
        assert record is not None
        return record

    async def buyer(self) -> Buyer:
        return await self.buyers.get("b1", EVERYWHERE)


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[list[Healing]]:
    """One that crashes, and one that comes after it and is in charge."""
    async with two_on_sqlite(tmp_path, Healing) as (crashed, fresh):
        await fresh.consent.check()
        yield [crashed, fresh]


async def test_the_grants_of_an_agreement_that_is_over_end_by_themselves_and_no_others(
    processes: list[Healing],
) -> None:
    crashed, fresh = processes
    for agreement_id in ("a1", "a2"):
        await propose(crashed.agreements, agreement_id)
    for grant_id, agreement_id in (("g1", "a1"), ("g2", "a1"), ("g3", "a2"), ("g4", "")):
        await crashed.write(GrantGiven(grant=a_grant(grant_id, agreement_id=agreement_id)))
    await over(crashed.agreements, "a1")
    for _ in range(2):
        await fresh.agreeing.sweep(now=LATER)
    assert [(await fresh.grant(grant_id)).ended_at for grant_id in ("g1", "g2", "g3", "g4")] == [
        LATER,
        LATER,
        None,
        None,
    ]
    last = (await fresh.ledger.current()).after(5, limit=99)
    assert [(entry.by, entry.fact.sealed()["reason"]) for entry in last] == [
        ("lin", "We part"),
        ("lin", TERMINATED),
        ("lin", TERMINATED),
    ]


async def test_who_leaves_while_an_agreement_ends_has_ended_its_grants_all_the_same(
    processes: list[Healing],
) -> None:
    _, fresh = processes
    await propose(fresh.agreements, "a1")
    await fresh.write(GrantGiven(grant=a_grant(agreement_id="a1")))
    slow = Slow(fresh.documents, fresh.relay)
    agreeing = Agreeing(slow, fresh.parties, PAPERS, fresh.ledger, fresh.consent, zone=AMMAN)
    leaving = asyncio.create_task(agreeing.terminate(LIN, "a1", "We part", now=NIGHT))
    await slow.written.wait()
    leaving.cancel()

    async def is_ended() -> bool:
        return (await fresh.grant("g1")).ended_epoch is not None

    await eventually(is_ended, saying="the grant ended")


@pytest.mark.parametrize(
    ("facts", "status", "line"),
    [
        ((CLOSED,), BuyerStatus.CLOSED, ("closed", "A sanction")),
        ((CLOSED, REOPENED, CLOSED), BuyerStatus.CLOSED, ("closed", "A sanction")),
    ],
)
async def test_the_history_of_a_buyer_tells_who_closed_it_also_when_that_was_left_out(
    processes: list[Healing], facts: tuple[Fact, ...], status: BuyerStatus, line: tuple[str, str]
) -> None:
    crashed, fresh = processes
    for fact in facts:
        await crashed.write(fact)
    for _ in range(2):
        await fresh.histories.sweep(now=LATER)
    buyer = await fresh.buyer()
    assert buyer.status is status
    (change,) = buyer.history
    assert (change.what, change.reason) == line
    assert (change.by, change.at, change.on) == ("amir", NIGHT, date(2026, 3, 11))


async def test_the_history_of_a_buyer_tells_who_opened_it_again(processes: list[Healing]) -> None:
    crashed, fresh = processes
    await crashed.write(CLOSED)
    await fresh.histories.sweep(now=LATER)
    await crashed.write(REOPENED, by="lena")
    await fresh.histories.sweep(now=LATER)
    told = [(change.what, change.by, change.reason) for change in (await fresh.buyer()).history]
    assert told == [("closed", "amir", "A sanction"), ("active", "lena", "Lifted")]


async def test_who_is_closing_a_buyer_just_now_writes_its_history(processes: list[Healing]) -> None:
    crashed, fresh = processes
    await crashed.write(CLOSED)
    await fresh.histories.sweep(now=LATER - timedelta(seconds=1))
    assert (await fresh.buyer()).history == ()


async def test_the_history_of_a_vendor_tells_who_closed_it_and_who_is_not_registered_is_in_nobodys_way(
    processes: list[Healing],
) -> None:
    crashed, fresh = processes
    vendor = Organisation(id="v1", kind=OrganisationKind.VENDOR, name="Vendor")
    await fresh.parties.organisations.register(vendor, request=None)
    for party_id in ("v2", "v1"):
        await crashed.write(BuyerClosed(record_id=party_id, buyer_id=party_id, reason="Bankrupt"))
    await crashed.write(CLOSED)
    for _ in range(2):
        await fresh.histories.sweep(now=LATER)
    assert len((await fresh.buyer()).history) == 1
    (change,) = (await fresh.parties.organisations.get("v1", EVERYWHERE)).history
    assert (change.what, change.by, change.reason) == ("closed", "amir", "Bankrupt")


async def test_a_process_that_is_not_in_charge_looks_after_nothing(processes: list[Healing]) -> None:
    idle, _ = processes
    for sweep in (idle.agreeing.sweep, idle.histories.sweep):
        with pytest.raises(NotInCharge):
            await sweep(now=LATER)


async def test_a_running_service_looks_after_both_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.access.app.SWEEP_EVERY_S", 0.05)
    async with access(tmp_path) as service:
        ledger, agreements = part(service, "ledger", Ledger), part(service, "agreements", Agreements)
        await propose(agreements, "a1")
        for fact in (CLOSED, GrantGiven(grant=a_grant(agreement_id="a1"))):
            await ledger.append(lambda _, fact=fact: fact, by="amir", at=NIGHT)  # type: ignore[misc]
        await over(agreements, "a1")
        await service.get("/internal/consent?gateway=g", GATEWAY)

        async def healed() -> bool:
            grant = (await service.get("/api/v1/grants/g1", ADMIN)).json()
            buyer = (await service.get("/api/v1/buyers/b1", ADMIN)).json()
            return grant["revoked_at"] is not None and len(buyer["history"]) == 2

        await eventually(healed, saying="the grant ended and the history told")
