"""Putting reads on record before they are answered: one page a factory and batch, all of them or the batch fails."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from contracts.reads import Read, ReadBatch
from services.access.domain.consent.facts import PURPOSE
from services.access.domain.reading import LoggedRead, logged
from services.access.store.ledger import Ledger
from services.access.store.reads import ReadPages

MOST_PURPOSES: Final = 50_000
"""That are remembered."""

MOST_PURPOSE_BYTES: Final = 8 * 1024
"""Of one read, in UTF-8, the newest grants first: so a page of the most reads still fits into a document."""


class Recording:
    """Puts reads on record; remembers the purposes of grants, which never change."""

    def __init__(self, pages: ReadPages, ledger: Ledger) -> None:
        self._pages = pages
        self._ledger = ledger
        self._purposes: dict[str, str] = {}

    async def record(self, batch: ReadBatch, *, now: datetime) -> None:
        """Return when every read of the batch is on record, durably; the same batch again changes nothing.

        When it raises, some factories' reads may be on record and others not: the batch may be sent again.
        """
        purposes = await self._purposes_of(batch.reads)
        by_factory: dict[str, list[LoggedRead]] = {}
        for read in batch.reads:
            told = logged(read, _some(purposes.get(ground, "") for ground in read.grounds))
            by_factory.setdefault(read.factory_id, []).append(told)
        # A document stores milliseconds of this: what is told must be what is asked for.
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if len(by_factory) == 1:  # as with every read of one document: a task of its own would only take time
            ((factory_id, own),) = by_factory.items()
            await self._pages.append(factory_id, batch.id, tuple(own), at=at)
            return
        writing = (
            self._pages.append(factory_id, batch.id, tuple(reads), at=at) for factory_id, reads in by_factory.items()
        )
        for outcome in await asyncio.gather(*writing, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _purposes_of(self, reads: Iterable[Read]) -> Mapping[str, str]:
        """The purposes of the grants that the reads rest on, by their ids; a disclosure has none."""
        grounds = {ground for read in reads for ground in read.grounds}
        found = {ground: self._purposes[ground] for ground in grounds if ground in self._purposes}
        if missing := grounds - found.keys():
            fold = self._ledger.known
            if any(fold.record(ground) is None for ground in missing):
                # The gateway knows them from this ledger: what a fresh look at it does not show is no grant.
                fold = await self._ledger.current()
            if len(self._purposes) >= MOST_PURPOSES:
                self._purposes.clear()
            records = ((ground, fold.record(ground)) for ground in missing)
            told = {ground: record.fact.sealed()[PURPOSE] if record else "" for ground, record in records}
            self._purposes |= told
            found |= told
        return found


def _some(purposes: Iterable[str]) -> tuple[str, ...]:
    """The purposes that are not empty, each once, as far as there is room for them."""
    found: list[str] = []
    room = MOST_PURPOSE_BYTES
    for purpose in dict.fromkeys(purposes):
        room -= len(purpose.encode())
        if room < 0:
            break
        if purpose:
            found.append(purpose)
    return tuple(found)
