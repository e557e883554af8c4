"""The consent ledger as documents: inserting an entry under its epoch is the commit, and only the announced key may.

To rotate the key, start with the new key and, as the previous one, the key it replaces: the announcement of the new key
is signed by the old one, which is then worthless and may be destroyed. A process with any other key cannot write.

The fold is kept in memory and only ever grows by entries that were read from the ledger, or that it took from this
process, so that it cannot say anything else than the ledger does, whichever process wrote.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

import msgspec

from contracts.access import EntryKind
from contracts.errors import Conflict, NotFound, Refusal
from contracts.identity import Scope
from contracts.ledger import LedgerKey
from services.access.domain.consent.announced import KeyAnnounced
from services.access.domain.consent.entry import Entry
from services.access.domain.consent.facts import Fact
from services.access.domain.consent.fold import Fold, LedgerBroken, Record
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, InvalidCursor, Sort, cursor_of, values_of
from services.runtime.relay import Relay
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)

PAGE = 500
APPEND_ATTEMPTS = 50
PATIENCE_S: Final = 10.0
"""How long waiting for one's turn and writing may take together, so that nobody stands in line behind a dead store."""

NEWEST_FIRST: Sort = (("epoch", -1),)


class KeyNotAnnounced(Refusal):
    """This process cannot sign: its key is not the ledger's, nor may it follow the one that is."""

    status = 503
    code = "ledger_key_wrong"


class Keys(msgspec.Struct, frozen=True):
    """The key that signs, the one it replaces, and the fingerprint of the first key when it is known beforehand."""

    current: LedgerKey | None = None
    previous: LedgerKey | None = None
    anchor: str = ""

    @property
    def signing(self) -> LedgerKey:
        """The key that signs; raises ``KeyNotAnnounced`` when there is none."""
        if self.current is None:
            raise KeyNotAnnounced("Access was started without the key of the consent ledger.")
        return self.current


class Ledger:
    """The ledger and what it amounts to."""

    def __init__(self, documents: Documents, *, keys: Keys, source: str, relay: Relay) -> None:
        self._entries = Aggregates(documents.collection("ledger"), Entry, source=source, relay=relay)
        self._keys = keys
        self._country = source.partition("/")[0]
        self._writing = asyncio.Lock()
        self._tell: Callable[[], None] = lambda: None
        self._fold = Fold(anchor=keys.anchor)

    @property
    def known(self) -> Fold:
        """The fold of what this process knows to be on the ledger, without asking whether that is all."""
        return self._fold

    async def current(self) -> Fold:
        """The fold of everything on the ledger, whole country; raises ``LedgerBroken``."""
        while True:
            behind = {"_id": {"$gt": _key(self._fold.epoch)}}
            page = await self._entries.find(behind, sort=[("_id", 1)], limit=PAGE)
            for entry in page.items:
                self._apply(entry)
            if page.next_cursor is None:
                return self._fold

    def _apply(self, entry: Entry) -> None:
        """Let the fold grow, unless somebody did during the read or the write."""
        if entry.epoch <= self._fold.epoch:
            return
        try:
            self._fold.apply(entry)
        except LedgerBroken as error:
            logger.error("the consent ledger is broken: nothing is decided on it", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
            raise LedgerBroken("The consent ledger is not the one that was written.") from error

    def on_append(self, tell: Callable[[], None]) -> None:
        """Have somebody told whenever an append has ended, so that who waits for news looks."""
        self._tell = tell

    async def append(self, decide: Callable[[Fold], Fact | None], *, by: str, at: datetime) -> Fold:
        """Write what the decision says as the next entry with its event, durably; nothing when it is ``None``.

        The decision runs again on the newer fold when another writer took the epoch. Raises ``Conflict`` when
        that happens too often, ``KeyNotAnnounced``, ``StoreUnavailable``, and whatever the decision refuses.
        """
        try:
            # One writer of this process at a time: they would only take the epoch away from each other.
            async with asyncio.timeout(PATIENCE_S), self._writing:
                return await self._append(decide, by=by, at=at)
        except TimeoutError as error:
            raise StoreUnavailable("The ledger cannot be written just now.") from error

    async def _append(self, decide: Callable[[Fold], Fact | None], *, by: str, at: datetime) -> Fold:
        key = self._keys.signing
        fold, fact = self._fold, self._decided_early(decide, key)
        for _ in range(APPEND_ATTEMPTS):
            if fact is None:
                fold = await self.announce_key(at=at)
                fact = decide(fold)
            if fact is None or await self._insert(fold, fact, by=by, at=at, key=key):
                self._tell()
                return fold
            fact = None
        raise Conflict("Too many others are writing the ledger; try again.")

    def _decided_early(self, decide: Callable[[Fold], Fact | None], key: LedgerKey) -> Fact | None:
        """What the decision writes going by what is known: the epoch that it takes proves that it was all there is.

        Nothing proves a refusal, nor that there is nothing to write: ``None``.
        """
        with contextlib.suppress(Refusal):
            return decide(self._fold) if self._fold.chain.key == key.public else None
        return None

    async def announce_key(self, *, at: datetime) -> Fold:
        """Announce this process's key unless it is the valid one; raises ``KeyNotAnnounced`` when it cannot be."""
        key = self._keys.signing
        for _ in range(APPEND_ATTEMPTS):
            fold = await self.current()
            if fold.chain.key == key.public:
                return fold
            signing = self._keys.previous if fold.epoch else key
            if signing is None or fold.chain.key not in {"", signing.public} or key.id in fold.chain.announced:
                raise KeyNotAnnounced("The consent ledger is signed by another key than the one given to access.")
            announced = KeyAnnounced(public_key=key.public, country=self._country)
            await self._insert(fold, announced, by="access", at=at, key=signing)
        raise Conflict("Too many others are writing the ledger; try again.")

    async def entries(self) -> AsyncIterator[Entry]:
        """Every entry in order, a page in memory at a time."""
        epoch, is_over = 0, False
        while not is_over:
            page = await self._entries.find({"_id": {"$gt": _key(epoch)}}, sort=[("_id", 1)], limit=PAGE)
            for entry in page.items:
                epoch = entry.epoch
                yield entry
            is_over = page.next_cursor is None

    async def get(self, record_id: str, scope: Scope, kind: EntryKind = EntryKind.GRANT_GIVEN) -> Record:
        """Read one record, a grant unless ``kind`` says otherwise; raises ``NotFound`` for absent or out of scope."""
        record = (await self.current()).record(record_id, kind)
        if record is None or not record.concerns(scope):
            raise NotFound("There is no such record.")
        return record

    async def given(self, record_id: str, scope: Scope) -> Record:
        """Read who granted what to whom, which never changes; whether it has ended may be out of date.

        Raises ``NotFound`` for absent or out of scope.
        """
        record = self._fold.record(record_id)
        if record is None or not record.concerns(scope):
            return await self.get(record_id, scope)
        return record

    async def find(
        self,
        scope: Scope,
        kind: EntryKind = EntryKind.GRANT_GIVEN,
        *,
        factory_id: str | None = None,
        buyer_id: str | None = None,
        limit: int,
        after: str | None,
    ) -> Found[Record]:
        """Read one page of the records of a kind in scope, newest first; raises ``InvalidCursor``."""
        before = epoch_of(after, NEWEST_FIRST) if after else None
        found: list[Record] = []
        for record in (await self.current()).records(kind):
            is_asked = factory_id in {None, record.factory_id} and buyer_id in {None, record.buyer_id}
            if not is_asked or not record.concerns(scope) or (before is not None and record.epoch >= before):
                continue
            if len(found) == limit:
                last = found[-1]
                return Found(found, cursor_of({"_id": last.id, "epoch": last.epoch}, NEWEST_FIRST))
            found.append(record)
        return Found(found, None)

    async def _insert(self, fold: Fold, fact: Fact, *, by: str, at: datetime, key: LedgerKey) -> bool:
        """Write the next entry and know it; tell whether this call wrote it and nobody else had taken the epoch."""
        entry = fold.next(fact, by=by, at=at, salt=secrets.token_hex(16), key=key)
        event = fact.event(entry.epoch)
        try:
            is_written = await self._entries.create(_key(entry.epoch), entry, (event,) if event else ())
        except Conflict:
            return False
        if is_written:
            self._apply(entry)
        return is_written


def epoch_of(cursor: str, order: Sort) -> int:
    """The epoch behind which a list in the order of epochs goes on; raises ``InvalidCursor``."""
    epoch = values_of(cursor, order)[0]
    if not isinstance(epoch, int):
        raise InvalidCursor("The cursor was not issued by this list.")
    return epoch


def _key(epoch: int) -> str:
    return f"{epoch:012d}"
