"""Factories and buyers as documents; every read takes a ``Scope``."""

from collections.abc import Callable, Sequence
from typing import Final

from contracts.errors import Conflict, NotFound
from contracts.events import Event
from contracts.identity import Scope
from services.access.domain.buyer import Buyer
from services.access.domain.party import Factory, FactoryStatus, OsIdTaken
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, DuplicateKey, Index
from services.runtime.relay import Relay

PAGE: Final = 500


class Factories:
    """The factories of the programme."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (
            Index(("state.original_id",), unique=True),
            Index(("state.os_slot",), unique=True, sparse=True),
            Index(("state.name",)),
            Index(("state.group_id",)),
        )
        self._factories = Aggregates(documents.collection("factories", indexes), Factory, source=source, relay=relay)

    async def get(self, factory_id: str, scope: Scope) -> Factory:
        """Read one; raises ``NotFound`` for what is absent or out of scope."""
        if not scope.covers(factory_id):
            raise NotFound("There is no such factory.")
        return (await self._factories.get(factory_id)).state

    async def find(self, scope: Scope, *, limit: int, after: str | None) -> Found[Factory]:
        """Read one page of the factories in scope by name; raises ``InvalidCursor``."""
        where = None if scope.factories is None else {"_id": {"$in": sorted(scope.factories)}}
        return await self._factories.find(where, sort=[("state.name", 1)], limit=limit, after=after)

    async def find_named(self, scope: Scope, name: str, *, limit: int, after: str | None) -> Found[Factory]:
        """Read one page of the factories in scope that have this name or had it once; raises ``InvalidCursor``."""
        named = {"$or": [{"state.name": name}, {"state.former_names": {"$elemMatch": {"$eq": name}}}]}
        within = [] if scope.factories is None else [{"_id": {"$in": sorted(scope.factories)}}]
        return await self._factories.find(
            {"$and": [named, *within]}, sort=[("state.name", 1)], limit=limit, after=after
        )

    async def find_active(self, _: Scope, *, limit: int, after: str | None) -> Found[Factory]:
        """Read one page of the factories that are in the programme, by name, whatever the scope: that is public.

        Raises ``InvalidCursor``.
        """
        where = {"state.status": {"$in": [None, FactoryStatus.ACTIVE.value]}}
        return await self._factories.find(where, sort=[("state.name", 1)], limit=limit, after=after)

    async def find_groups(self, _: Scope) -> dict[str, str]:
        """The group of every factory that belongs to one."""
        found: dict[str, str] = {}
        after: str | None = None
        while True:
            page = await self._factories.find({"state.group_id": {"$gt": ""}}, limit=PAGE, after=after)
            found |= {factory.id: factory.group_id for factory in page.items}
            if (after := page.next_cursor) is None:
                return found

    async def change(self, factory_id: str, decide: Callable[[Factory], tuple[Factory, Sequence[Event]]]) -> Factory:
        """Store what a pure decision makes of a factory; raises its refusals and ``OsIdTaken``."""
        try:
            return await self._factories.change(factory_id, decide)
        except DuplicateKey:
            raise OsIdTaken("Another factory of the programme has this OS Hub id.") from None

    async def register(self, factory: Factory, *, request: object) -> None:
        """Store a new factory with its event; raises ``OsIdTaken``, and ``Conflict`` for a taken id or original id."""
        kept, event = factory.registered()
        try:
            await self._factories.create(factory.id, kept, (event,), request=request)
        except Conflict:
            holders = await self._factories.find({"state.os_slot": kept.os_slot}, limit=1) if kept.os_slot else None
            if holders is not None and any(each.id != factory.id for each in holders.items):
                raise OsIdTaken("Another factory of the programme has this OS Hub id.") from None
            raise


class Buyers:
    """The buyers of the programme. Staff and factories see all of them, a buyer itself."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        collection = documents.collection("buyers", (Index(("state.name",)),))
        self._buyers = Aggregates(collection, Buyer, source=source, relay=relay)

    async def get(self, buyer_id: str, scope: Scope) -> Buyer:
        """Read one; raises ``NotFound`` for what is absent or out of scope."""
        if scope.buyer_id not in {None, buyer_id}:
            raise NotFound("There is no such buyer.")
        return (await self._buyers.get(buyer_id)).state

    async def find(self, scope: Scope, *, limit: int, after: str | None) -> Found[Buyer]:
        """Read one page by name; raises ``InvalidCursor``."""
        where = None if scope.buyer_id is None else {"_id": scope.buyer_id}
        return await self._buyers.find(where, sort=[("state.name", 1)], limit=limit, after=after)

    async def change(self, buyer_id: str, decide: Callable[[Buyer], Buyer]) -> Buyer:
        """Store what a pure decision makes of a buyer; raises its refusals."""
        return await self._buyers.change(buyer_id, lambda buyer: (decide(buyer), ()))

    async def register(self, buyer: Buyer, *, request: object) -> None:
        """Store a new buyer with its event; raises ``Conflict`` when its id is taken."""
        kept, event = buyer.registered()
        await self._buyers.create(buyer.id, kept, (event,), request=request)
