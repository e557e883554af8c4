"""Factories merge into one another in every order and at once, and no circle ever comes of it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest

from services.access.domain.party import Because, FactoryNotActive, FactoryStatus, Merger
from services.access.usecases.grants import EVERYWHERE
from services.access.usecases.parties import move_factory
from tests.access.processes import F1, Process, two_on_sqlite

NOW: Final = datetime(2026, 5, 1, tzinfo=UTC)
WHY: Final = Because(reason="One roof", on=NOW.date(), by="somebody", at=NOW)
OTHERS: Final = ("f2", "f3", "f4")


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[list[Process]]:
    async with two_on_sqlite(tmp_path, Process) as found:
        for factory_id in OTHERS:
            other = msgspec.structs.replace(F1, id=factory_id, original_id=factory_id, name=factory_id)
            await found[0].parties.factories.register(other, request=None)
        yield found


async def merge(process: Process, factory_id: str, into: str) -> bool:
    """Merge and tell whether it was done."""
    try:
        await move_factory(process.parties, factory_id, FactoryStatus.MERGED, WHY, merged_into=into)
    except FactoryNotActive:
        return False
    return True


async def merged_into(process: Process) -> dict[str, str]:
    found = [await process.parties.factories.get(factory_id, EVERYWHERE) for factory_id in ("f1", *OTHERS)]
    assert [factory.merging for factory in found] == [None] * len(found)
    return {factory.id: factory.merged_into for factory in found}


def last(into: dict[str, str], factory_id: str) -> str:
    """Where a factory ended up; raises ``AssertionError`` for a circle."""
    for _ in range(len(into) + 1):
        if not into[factory_id]:
            return factory_id
        factory_id = into[factory_id]
    raise AssertionError(f"a circle through {factory_id}: {into}")


@pytest.mark.parametrize("circle", [("f1", "f2"), ("f1", "f2", "f3"), ("f1", "f2", "f3", "f4")])
async def test_mergers_at_once_close_no_circle(processes: list[Process], circle: Sequence[str]) -> None:
    steps = zip(circle, [*circle[1:], circle[0]], itertools.cycle(processes), strict=False)
    done = await asyncio.gather(*(merge(process, factory_id, into) for factory_id, into, process in steps))
    assert sum(done) < len(circle)
    into = await merged_into(processes[0])
    assert {last(into, factory_id) for factory_id in into} <= {"f1", *OTHERS}
    if not any(done):
        assert await merge(processes[1], circle[0], circle[1])


async def test_a_merger_that_was_paused_is_none_once_the_factory_got_another_status(processes: list[Process]) -> None:
    factories, slow = processes[0].parties.factories, Merger(into="f2", attempt="slow")
    await factories.change("f1", lambda factory: (factory.merger_begun(slow), ()))
    assert not await merge(processes[1], "f2", "f1")
    await move_factory(processes[1].parties, "f1", FactoryStatus.ACTIVE, WHY, merged_into="")
    assert await merge(processes[1], "f2", "f1")
    with pytest.raises(FactoryNotActive):
        await factories.change("f1", lambda factory: factory.merged(slow, WHY))
    assert await merged_into(processes[0]) == {"f1": "", "f2": "f1", "f3": "", "f4": ""}


async def test_a_merger_that_a_crash_left_half_done_is_completed_by_saying_it_again(processes: list[Process]) -> None:
    lost = Merger(into="f2", attempt="lost")
    await processes[0].parties.factories.change("f1", lambda factory: (factory.merger_begun(lost), ()))
    assert await merge(processes[1], "f1", "f2")
    assert await merge(processes[1], "f1", "f2")
    (change,) = (await processes[0].parties.factories.get("f1", EVERYWHERE)).history
    assert change.after == {"status": "merged", "merged_into": "f2"}


async def test_what_others_were_merged_into_may_be_merged_on_and_may_leave(processes: list[Process]) -> None:
    assert await merge(processes[0], "f1", "f2")
    assert await merge(processes[0], "f2", "f3")
    assert not await merge(processes[0], "f3", "f1")
    await move_factory(processes[0].parties, "f3", FactoryStatus.OBSOLETE, WHY, merged_into="")
    assert await merged_into(processes[0]) == {"f1": "f2", "f2": "f3", "f3": "", "f4": ""}
