"""Who takes the leases over waits for the longest that may go on, also when they were made shorter meanwhile."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.access.store.charge import Charge, NotInCharge
from services.access.usecases.consent import Consent
from tests.access.processes import Process, two_on_sqlite

LONG_S, SHORT_S = 60.0, 10.0


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    async with two_on_sqlite(tmp_path, Process) as (found, _):
        yield found


def a_charge(process: Process, lease_s: float) -> Charge:
    return Charge(process.documents, lease_s=lease_s)


async def test_one_that_takes_over_early_does_not_hide_the_longer_leases_before_it(process: Process) -> None:
    assert await a_charge(process, LONG_S).take() == LONG_S
    assert [await a_charge(process, SHORT_S).take() for _ in range(3)] == [LONG_S] * 3


async def test_once_they_ran_out_nobody_waits_for_them(process: Process) -> None:
    await a_charge(process, LONG_S).take()
    late = a_charge(process, SHORT_S)
    await late.take()
    await late.settle()
    await late.check()
    assert await a_charge(process, SHORT_S).take() == SHORT_S


async def test_one_that_lost_the_charge_settles_nothing(process: Process) -> None:
    await a_charge(process, LONG_S).take()
    late, later = (a_charge(process, SHORT_S) for _ in range(2))
    await late.take()
    await later.take()
    await late.settle()
    assert await a_charge(process, SHORT_S).take() == LONG_S


async def test_after_a_backup_was_restored_two_that_count_the_same_are_not_both_in_charge(process: Process) -> None:
    charges = process.documents.collection("charges")
    await a_charge(process, LONG_S).take()
    backup = await charges.get("leases")
    assert backup is not None
    running, started = (a_charge(process, LONG_S) for _ in range(2))
    await running.take()
    assert await charges.replace(backup, if_version=2)
    await started.take()
    assert (await charges.get("leases") or {})["version"] == 2
    await started.check()
    with pytest.raises(NotInCharge):
        await running.check()


async def test_one_that_counts_the_same_settles_nothing_of_another_s(process: Process) -> None:
    await a_charge(process, LONG_S).take()
    charges = process.documents.collection("charges")
    backup = await charges.get("leases")
    assert backup is not None
    running, started = (a_charge(process, SHORT_S) for _ in range(2))
    await running.take()
    assert await charges.replace(backup, if_version=2)
    await started.take()
    await running.settle()
    await started.check()


@pytest.mark.parametrize(("passed_s", "waits_s"), [(LONG_S - 1, LONG_S), (LONG_S, SHORT_S)])
async def test_a_process_that_gateways_follow_knows_when_they_ran_out(
    process: Process, passed_s: float, waits_s: float
) -> None:
    now = 1_000.0
    await a_charge(process, LONG_S).take()
    consent = Consent(process.ledger, a_charge(process, SHORT_S), lease_s=SHORT_S, clock=lambda: now)
    await consent.check()
    now += passed_s
    await consent.follow("gateway", after=0, entry_hash="", wait_s=0)
    assert await a_charge(process, SHORT_S).take() == waits_s
