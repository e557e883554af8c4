"""The changes of shared documents as documents, each under its number: inserting it is the commit.

NOTE: a number is never given twice and never freed, so that whoever has read up to a number has missed none below it.
The latest change of every document is kept in memory, read back from the store like the fold of the ledger.
"""

import bisect
import itertools
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

import msgspec

from contracts.errors import Conflict
from contracts.vocabulary import ReportKind
from services.access.domain.sharing import SharedDocument, key_of
from services.runtime.bus import Delivery
from services.runtime.documents import Documents, DuplicateKey

PAGE: Final = 500
ATTEMPTS: Final = 50


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A shared document changed; ``epoch`` and ``day`` tell where the ledger was then."""

    kind: ReportKind
    document_id: str
    factory_id: str
    cycle: int
    changed_at: datetime
    epoch: int
    day: date


class _Kept(Change, frozen=True, kw_only=True):
    """A change in its place; ``heard`` counts the announcements of the document that led to one."""

    number: int
    heard: int


class Journal:
    """What changed of the documents that are shared, whole country: who may see what of it says the ledger."""

    def __init__(self, documents: Documents) -> None:
        self._changes = documents.collection("shared_changes")
        self._documents: dict[str, SharedDocument] = {}
        self._heard: dict[str, int] = {}
        self._keys: list[str] = []
        self._last = 0

    async def current(self) -> "Journal":
        """The journal with everything in it that was written."""
        while True:
            page = await self._changes.find({"_id": {"$gt": _id(self._last)}}, sort=[("_id", 1)], limit=PAGE)
            for document in page.documents:
                if document["_id"] > _id(self._last):  # another reader may have been here during the read
                    self._take(msgspec.convert(document["change"], _Kept))
            if page.next_cursor is None:
                return self

    async def append(self, change: Change, *, cause: Delivery) -> None:
        """Write a change, durably; what the same announcement, or a later one, led to before changes nothing."""
        key = key_of(change.kind, change.document_id)
        for _ in range(ATTEMPTS):
            await self.current()
            if self._heard.get(key, 0) >= cause.message.sequence:
                return
            fields = {name: getattr(change, name) for name in Change.__struct_fields__}
            kept = _Kept(**fields, number=self._last + 1, heard=cause.message.sequence)
            try:
                await self._changes.insert({"_id": _id(kept.number), "change": msgspec.to_builtins(kept)})
            except DuplicateKey:
                continue
            await self.current()
            return
        raise Conflict("Too many others are writing the journal; try again.")

    @property
    def last(self) -> int:
        """The number of the last change, 0 before the first."""
        return self._last

    def document(self, key: str) -> SharedDocument | None:
        """A shared document."""
        return self._documents.get(key)

    def documents(self, *, behind: str = "") -> Iterator[SharedDocument]:
        """The shared documents behind a key, in the order of their keys."""
        for key in self._keys[bisect.bisect_right(self._keys, behind) :]:
            yield self._documents[key]

    def changed_after(self, number: int) -> Iterator[SharedDocument]:
        """The shared documents that changed behind the change of this number, the latest first."""
        return itertools.takewhile(lambda each: each.last > number, reversed(self._documents.values()))

    def _take(self, kept: _Kept) -> None:
        key = key_of(kept.kind, kept.document_id)
        present = self._documents.pop(key, None)  # what changed last comes last
        if present is None:
            bisect.insort(self._keys, key)
        self._documents[key] = SharedDocument(
            kind=kept.kind,
            document_id=kept.document_id,
            factory_id=kept.factory_id,
            cycle=kept.cycle,
            changed_at=kept.changed_at,
            first=present.first if present else kept.number,
            last=kept.number,
            epoch=present.epoch if present else kept.epoch,
            day=present.day if present else kept.day,
        )
        self._heard[key] = kept.heard
        self._last = kept.number


def _id(number: int) -> str:
    return f"{number:012d}"
