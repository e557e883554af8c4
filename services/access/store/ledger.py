"""The consent ledger as documents: inserting an entry under its epoch is the commit.

The fold is kept in memory and only ever grows by entries that were read back from the ledger, so that it cannot
say anything else than the ledger does, whichever process wrote.
"""

from collections.abc import Callable
from datetime import datetime

from contracts.errors import Conflict, NotFound
from contracts.identity import Scope
from services.access.domain.consent import Entry, Fact, Fold, GrantRecord, announced
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, Sort, cursor_of, values_of
from services.runtime.relay import Relay

PAGE = 500
APPEND_ATTEMPTS = 50
NEWEST_FIRST: Sort = (("given_epoch", -1),)


class Ledger:
    """The ledger and what it amounts to."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        self._entries = Aggregates(documents.collection("ledger"), Entry, source=source, relay=relay)
        self._fold = Fold()

    async def current(self) -> Fold:
        """The fold of everything on the ledger, whole country; raises ``LedgerBroken``."""
        while True:
            behind = {"_id": {"$gt": _key(self._fold.epoch)}}
            page = await self._entries.find(behind, sort=[("_id", 1)], limit=PAGE)
            for entry in page.items:
                if entry.epoch > self._fold.epoch:  # another reader may have been here during the read
                    self._fold.apply(entry)
            if page.next_cursor is None:
                return self._fold

    async def append(self, decide: Callable[[Fold], Fact | None], *, by: str, at: datetime) -> Fold:
        """Write what the decision says as the next entry with its event, durably; nothing when it is ``None``.

        The decision runs again on the newer fold when another writer took the epoch. Raises ``Conflict`` when
        that happens too often, and whatever the decision refuses.
        """
        for _ in range(APPEND_ATTEMPTS):
            fold = await self.current()
            fact = decide(fold)
            if fact is None:
                return fold
            entry = fold.next(fact, by=by, at=at)
            if await self._insert(entry):
                return await self.current()
        raise Conflict("Too many others are writing the ledger; try again.")

    async def get(self, grant_id: str, scope: Scope) -> GrantRecord:
        """Read one grant; raises ``NotFound`` for what is absent or out of scope."""
        record = (await self.current()).record(grant_id)
        if record is None or not record.concerns(scope):
            raise NotFound("There is no such grant.")
        return record

    async def find(
        self, scope: Scope, *, factory_id: str | None, buyer_id: str | None, limit: int, after: str | None
    ) -> Found[GrantRecord]:
        """Read one page of the grants in scope, newest first; raises ``InvalidCursor``."""
        before = values_of(after, NEWEST_FIRST)[0] if after else None
        found: list[GrantRecord] = []
        for record in (await self.current()).records():
            is_asked = factory_id in {None, record.grant.factory_id} and buyer_id in {None, record.grant.buyer_id}
            if not is_asked or not record.concerns(scope) or (before is not None and record.given_epoch >= before):
                continue
            if len(found) == limit:
                last = found[-1]
                return Found(found, cursor_of({"_id": last.grant.id, "given_epoch": last.given_epoch}, NEWEST_FIRST))
            found.append(record)
        return Found(found, None)

    async def _insert(self, entry: Entry) -> bool:
        """Write the entry; tell whether this call wrote it and nobody else had taken the epoch."""
        try:
            return await self._entries.create(_key(entry.epoch), entry, (announced(entry),))
        except Conflict:
            return False


def _key(epoch: int) -> str:
    return f"{epoch:012d}"
