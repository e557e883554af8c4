"""A gateway that waits for news is answered when there is some, whoever wrote it."""

import asyncio
from pathlib import Path
from unittest.mock import patch

from services.access.domain.consent.facts import GrantGiven
from services.access.store.charge import Charge
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from services.runtime.documents.sqlite import SqliteDocuments
from tests.access.entries import NOW, a_grant
from tests.access.processes import Process, started, two_on_sqlite

LEASE_S = 90.0
"""So long that an answer in time cannot be one that had waited in vain."""


async def test_who_waits_for_news_is_answered_when_an_entry_is_written(tmp_path: Path) -> None:
    async with started(Process(SqliteDocuments(tmp_path / "access.sqlite"))) as (process,):
        consent = Consent(process.ledger, Charge(process.documents, lease_s=LEASE_S), lease_s=LEASE_S)
        known = await consent.follow("gateway", after=0, entry_hash="", wait_s=0)
        last = known.entries[-1]
        waiting = asyncio.create_task(
            consent.follow("gateway", after=last.epoch, entry_hash=last.hash, wait_s=LEASE_S / 3)
        )
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await process.ledger.append(lambda _: GrantGiven(grant=a_grant()), by="someone", at=NOW)
        async with asyncio.timeout(LEASE_S / 6):
            answer = await waiting
        assert [entry.grant_id for entry in answer.entries] == ["g1"]


async def test_news_that_a_process_wrote_itself_is_told_without_reading_the_ledger(tmp_path: Path) -> None:
    async with started(Process(SqliteDocuments(tmp_path / "access.sqlite"))) as (process,):
        await process.ledger.append(lambda _: GrantGiven(grant=a_grant("g1")), by="someone", at=NOW)
        first = await process.consent.follow("gateway", after=0, entry_hash="", wait_s=0)
        last = first.entries[-1]
        with patch.object(Ledger, "current", side_effect=AssertionError("the ledger was read")):
            await process.ledger.append(lambda _: GrantGiven(grant=a_grant("g2")), by="someone", at=NOW)
            for name in ("gateway", "another"):
                answer = await process.consent.follow(name, after=last.epoch, entry_hash=last.hash, wait_s=1)
                assert [entry.grant_id for entry in answer.entries] == ["g2"]
                assert answer.lease_s > 0


async def test_what_another_process_wrote_is_told_at_the_latest_when_there_is_no_other_news(tmp_path: Path) -> None:
    async with two_on_sqlite(tmp_path, Process) as (process, other):
        await process.ledger.append(lambda _: GrantGiven(grant=a_grant("g1")), by="someone", at=NOW)
        last = (await process.consent.follow("gateway", after=0, entry_hash="", wait_s=0)).entries[-1]
        await other.ledger.append(lambda _: GrantGiven(grant=a_grant("g2")), by="someone", at=NOW)
        answer = await process.consent.follow("gateway", after=last.epoch, entry_hash=last.hash, wait_s=0)
        assert [entry.grant_id for entry in answer.entries] == ["g2"]
