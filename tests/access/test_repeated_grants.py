"""A grant that is given again, perhaps because no answer came: what was asked is compared, not what was filled in."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import Conflict
from services.access.domain.consent.fold import Record
from services.access.domain.grant import Grant
from services.access.usecases import grants
from services.runtime.documents.sqlite import SqliteDocuments
from tests.access.entries import a_grant
from tests.access.processes import Process, started

LATE = datetime(2026, 3, 10, 23, 59, tzinfo=UTC)
AFTER_MIDNIGHT = LATE + timedelta(minutes=2)


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    async with started(Process(SqliteDocuments(tmp_path / "access.sqlite"))) as (process,):
        yield process


async def give(process: Process, now: datetime, grant: Grant | None = None) -> Record:
    """Give a grant whose first day is told by ``grant``, or is the day of the request."""
    told = grant or a_grant(starts_on=now.date(), kinds=("assessment",))
    usual_day = None if grant else datetime.date
    return await grants.put(
        process.ledger,
        process.parties,
        told,
        by="someone",
        now=now,
        today=now.date(),
        usual_day=usual_day,
    )


async def test_what_begins_today_is_the_same_when_it_is_said_again_after_midnight(process: Process) -> None:
    first = await give(process, LATE)
    again = await give(process, AFTER_MIDNIGHT)
    assert again == first
    assert again.grant.starts_on == LATE.date()


async def test_what_begins_on_another_day_than_was_said_is_another_grant(process: Process) -> None:
    await give(process, LATE)
    with pytest.raises(Conflict):
        await give(process, AFTER_MIDNIGHT, a_grant(starts_on=AFTER_MIDNIGHT.date(), kinds=("assessment",)))


async def test_a_grant_that_ended_since_can_be_said_again(process: Process) -> None:
    short = a_grant(starts_on=LATE.date(), ends_on=LATE.date(), kinds=("assessment",))
    first = await give(process, LATE, short)
    assert await give(process, AFTER_MIDNIGHT, short) == first
