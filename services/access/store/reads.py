"""The read logs as documents, a page each: inserting a page under its number is the commit.

Where a log ends is remembered only after a page was durably written there, and forgotten whenever a write was not
plainly acknowledged: then it is read again. A page carries the batch that it came with, which is unique within a
factory, so that a batch that comes again is found to be there.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from contracts.errors import Conflict, NotFound
from contracts.identity import Scope
from contracts.ledger import LedgerKey
from services.access.domain.reading import Head, LoggedRead, Page, Tail, head_of, spelt, tail_of
from services.access.store.ledger import Keys, Ledger
from services.runtime.aggregates import Found
from services.runtime.documents import (
    Document,
    Documents,
    DuplicateKey,
    Filter,
    Index,
    InvalidCursor,
    Sort,
    cursor_of,
    values_of,
)

APPEND_ATTEMPTS: Final = 50
PAGES: Final = 100
"""How many pages are read at a time."""
LOOK_AGAIN_S: Final = 1.0
"""For how long a process that goes on writing believes that its key was not replaced."""

NEWEST_FIRST: Final[Sort] = (("recorded_ms", -1),)
_SHOWN: Final[Sort] = (("recorded_ms", -1), ("_id", -1), ("number", -1))
_INDEXES: Final = (
    Index(("factory_id", "batch"), unique=True),
    Index(("factory_id", "recorded_ms")),
    Index(("recorded_ms",)),
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which reads are asked for: those put on record at ``since`` or later, and before ``until``."""

    factory_id: str | None = None
    buyer_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class NumberedRead(LoggedRead, frozen=True, kw_only=True):
    """A read in its place: of its factory the ``number``-th."""

    factory_id: str
    number: int
    recorded_at: datetime


class ReadPages:
    """The read logs of all factories."""

    def __init__(self, documents: Documents, *, ledger: Ledger, keys: Keys) -> None:
        self._pages = documents.collection("reads", _INDEXES)
        self._ledger = ledger
        self._keys = keys
        self._tails: dict[str, Tail] = {}
        self._looked_s = -math.inf
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def append(self, factory_id: str, batch: str, reads: tuple[LoggedRead, ...], *, at: datetime) -> None:
        """Put the reads of a factory in a batch on record, durably; the same batch again changes nothing.

        Raises ``Conflict`` when others are faster too often, and ``KeyNotAnnounced``.
        """
        async with self._turns.setdefault(factory_id, asyncio.Lock()):
            for _ in range(APPEND_ATTEMPTS):
                tail = self._tails.get(factory_id) or await self._stored(factory_id)
                page = tail.next(batch, reads, at=at, key=await self._key(tail.key_id, at))
                try:
                    await self._pages.insert(_document(page))
                except DuplicateKey:
                    self._tails.pop(factory_id, None)
                    if await self._pages.count({"factory_id": factory_id, "batch": batch}):
                        return
                    continue
                self._tails[factory_id] = tail_of(page)
                return
        raise Conflict("Too many others are writing the read log; try again.")

    async def find(self, scope: Scope, asked: Asked, *, limit: int, after: str | None) -> Found[NumberedRead]:
        """Read one page of the reads in scope, newest first; a buyer sees none. Raises ``InvalidCursor``."""
        found: list[NumberedRead] = []
        place = ""
        async for page in self._newest(_where(scope, asked, after)):
            for read in _reads_of(page, asked.buyer_id, after):
                if len(found) == limit:
                    return Found(found, place)
                found.append(read)
                place = _place(page, read.number)
        return Found(found, None)

    async def head(self, factory_id: str, scope: Scope, *, at: datetime) -> Head:
        """Tell how far the log of a factory goes; raises ``NotFound`` out of scope, and ``KeyNotAnnounced``."""
        if scope.buyer_id is not None or not scope.covers(factory_id):
            raise NotFound("There is no such factory.")
        tail = await self._stored(factory_id)
        # After the tail: the key that signed there is this one, or was replaced by it.
        return head_of(tail, told_at=at).signed(await self._key("", at))

    async def pages(self, factory_id: str, scope: Scope, *, last: int) -> AsyncIterator[Page]:
        """Every page of a factory in scope in order, up to the number ``last``."""
        number = 0
        while number < last and scope.buyer_id is None and scope.covers(factory_id):
            behind = {"_id": {"$gt": _id(factory_id, number), "$lte": _id(factory_id, last)}}
            page = await self._pages.find(behind, sort=[("_id", 1)], limit=PAGES)
            if not page.documents:
                return
            for document in page.documents:
                number += 1
                yield _page(document)

    async def _newest(self, where: Filter | None) -> AsyncIterator[Page]:
        """The pages that match, the newest first; ``None`` matches nothing."""
        place: str | None = None
        while where is not None:
            page = await self._pages.find(where, sort=NEWEST_FIRST, limit=PAGES, after=place)
            for document in page.documents:
                yield _page(document)
            place = page.next_cursor
            if place is None:
                return

    async def _stored(self, factory_id: str) -> Tail:
        """Where the stored log of a factory ends."""
        whole = {"_id": {"$gte": _id(factory_id, 0), "$lte": _id(factory_id, 10**12 - 1)}}
        found = (await self._pages.find(whole, sort=[("_id", -1)], limit=1)).documents
        return tail_of(_page(found[0])) if found else Tail(factory_id)

    async def _key(self, used: str, at: datetime) -> LedgerKey:
        """The key of this process, which may follow the one that was used last; raises ``KeyNotAnnounced``.

        A key that was replaced meanwhile is found out within ``LOOK_AGAIN_S``, wherever this process wrote last.
        """
        key = self._keys.signing
        now_s = time.monotonic()
        if used != key.id or now_s - self._looked_s >= LOOK_AGAIN_S:
            await self._ledger.announce_key(at=at)
            self._looked_s = now_s
        return key


def _where(scope: Scope, asked: Asked, after: str | None) -> Filter | None:
    """The pages that may hold what is asked for; ``None`` when there can be none. Raises ``InvalidCursor``."""
    if scope.buyer_id is not None:
        return None
    parts: list[Filter] = []
    if asked.factory_id is not None:
        if not scope.covers(asked.factory_id):
            return None
        parts.append({"factory_id": asked.factory_id})
    elif scope.factories is not None:
        parts.append({"factory_id": {"$in": sorted(scope.factories)}})
    if asked.buyer_id is not None:
        parts.append({"buyers": {"$elemMatch": {"$eq": asked.buyer_id}}})
    parts += [{"recorded_ms": {"$gte": _ms(asked.since)}}] if asked.since else []
    parts += [{"recorded_ms": {"$lt": _ms(asked.until)}}] if asked.until else []
    if after is not None:
        recorded_ms, page_id, _ = _place_of(after)
        rest = [{"recorded_ms": {"$lt": recorded_ms}}, {"recorded_ms": recorded_ms, "_id": {"$lte": page_id}}]
        parts += [{"recorded_ms": {"$lte": recorded_ms}}, {"$or": rest}]
    return {"$and": parts} if parts else {}


def _reads_of(page: Page, buyer_id: str | None, after: str | None) -> Iterator[NumberedRead]:
    """The reads of a page behind a cursor, newest first."""
    _, page_id, before = _place_of(after) if after is not None else (0, "", 0)
    for number in range(page.last, page.first - 1, -1):
        read = page.reads[number - page.first]
        is_behind = number < before or page_id != _id(page.factory_id, page.number)
        if is_behind and buyer_id in {None, read.buyer_id}:
            told = msgspec.structs.asdict(read)
            yield NumberedRead(**told, factory_id=page.factory_id, number=number, recorded_at=page.recorded_at)


def _document(page: Page) -> Document:
    """A page as it is stored, with what is looked for beside it."""
    return {
        "_id": _id(page.factory_id, page.number),
        "factory_id": page.factory_id,
        "batch": page.batch,
        "recorded_ms": _ms(page.recorded_at),
        "buyers": sorted({read.buyer_id for read in page.reads} - {""}),
        # As one text, which is what was hashed: nothing looks inside, and a document's parts take time to check.
        "page": spelt(page).decode(),
    }


def _page(document: Document) -> Page:
    return msgspec.json.decode(document["page"], type=Page)


def _place(page: Page, number: int) -> str:
    """The cursor behind a read of a page."""
    place = {"recorded_ms": _ms(page.recorded_at), "_id": _id(page.factory_id, page.number), "number": number}
    return cursor_of(place, _SHOWN)


def _place_of(cursor: str) -> tuple[int, str, int]:
    """When, on which page and before which read the list goes on; raises ``InvalidCursor``."""
    try:
        return msgspec.convert(values_of(cursor, _SHOWN), tuple[int, str, int])
    except msgspec.ValidationError:
        raise InvalidCursor("The cursor was not issued by this list.") from None


def _id(factory_id: str, number: int) -> str:
    """The key of a page: no id of a factory holds a colon, so its pages stand together and in order."""
    return f"{factory_id}:{number:012d}"


def _ms(moment: datetime) -> int:
    """Milliseconds since 1970, whose order is that of time, which that of its spellings is not."""
    return int(moment.timestamp() * 1000)
