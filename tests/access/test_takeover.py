"""What a process learns while it is being replaced does not leave it: its successor knows of no such lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.access.domain.consent.endings import revocation
from services.access.domain.consent.facts import GrantGiven
from services.access.store.charge import Charge, NotInCharge
from services.access.usecases.consent import CHECKS_PER_ANSWER, Consent
from tests.access.entries import NOW, a_grant
from tests.access.processes import Process, two_on_sqlite

LEASE_S = 20.0


class Held(Charge):
    """A charge whose answer is on its way while something happens."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def check(self) -> None:
        await super().check()
        if self.meanwhile is not None:
            await self.meanwhile()


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[list[Process]]:
    async with two_on_sqlite(tmp_path, Process) as found:
        yield found


async def in_charge(process: Process) -> tuple[Consent, Held]:
    """The consent of a process that has taken the charge, and that charge."""
    charge = Held(process.documents, lease_s=LEASE_S)
    consent = Consent(process.ledger, charge, lease_s=LEASE_S)
    await consent.check()
    return consent, charge


async def give(process: Process, grant_id: str = "g1") -> None:
    await process.ledger.append(lambda _: GrantGiven(grant=a_grant(grant_id)), by="someone", at=NOW)


async def replaced(old: Process, new: Process) -> None:
    """Another process takes over, writes a grant, and the old one reads it for somebody else."""
    await new.consent.check()
    await give(new)
    await old.ledger.current()


async def test_a_grant_of_the_successor_s_leaves_the_old_process_under_no_lease(processes: list[Process]) -> None:
    old, new = processes
    consent, charge = await in_charge(old)
    charge.meanwhile = lambda: replaced(old, new)
    with pytest.raises(NotInCharge):
        await consent.follow("gateway", after=0, entry_hash="", wait_s=0)


async def test_nothing_is_sent_on_what_only_the_successor_has_checked(processes: list[Process]) -> None:
    old, new = processes
    consent, charge = await in_charge(old)
    charge.meanwhile = lambda: replaced(old, new)
    with pytest.raises(NotInCharge):
        async with consent.deciding():
            pytest.fail("decided on what a successor may have taken back")


async def test_while_the_ledger_grows_all_the_time_only_what_was_checked_is_told_and_without_a_lease(
    processes: list[Process],
) -> None:
    process = processes[0]
    consent, charge = await in_charge(process)
    numbers = iter(range(100))
    charge.meanwhile = lambda: give(process, f"g{next(numbers)}")
    answer = await consent.follow("gateway", after=0, entry_hash="", wait_s=0)
    written = next(numbers)
    assert written == CHECKS_PER_ANSWER
    assert answer.lease_s == 0
    assert [entry.grant_id for entry in answer.entries] == ["", *(f"g{number}" for number in range(written - 1))]


async def test_a_revocation_does_not_queue_behind_decisions_that_wait_for_the_store(processes: list[Process]) -> None:
    process = processes[0]
    consent, charge = await in_charge(process)
    await give(process)
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        charge.meanwhile = None
        is_asked.set()
        await may_answer.wait()

    async def decide() -> bool:
        async with consent.deciding() as fold:
            record = fold.record("g1")
            return record is not None and record.ended_epoch is None

    charge.meanwhile = hold
    deciding = asyncio.create_task(decide())
    await is_asked.wait()
    fold = await process.ledger.append(lambda fold: revocation(fold, "g1"), by="someone", at=NOW)
    async with asyncio.timeout(LEASE_S / 4):
        await consent.in_force(fold.epoch, given=fold.epoch - 1)
    may_answer.set()
    assert await deciding is False
