"""Agreements as documents; every read takes a ``Scope``."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from contracts.errors import NotFound
from contracts.events import Event
from contracts.identity import Scope
from services.access.domain.agreement import Agreement, Side
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, Index
from services.runtime.relay import Relay

PAGE: Final = 200
Decision = Callable[[Agreement], tuple[Agreement, Sequence[Event]]]


class Agreements:
    """The agreements between factories and buyers."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (
            Index(("state.factory_id", "state.proposed_at")),
            Index(("state.buyer_id", "state.proposed_at")),
            Index(("state.proposed_at",)),
        )
        collection = documents.collection("agreements", indexes)
        self._agreements = Aggregates(collection, Agreement, source=source, relay=relay)

    async def get(self, agreement_id: str, scope: Scope) -> Agreement:
        """Read one; raises ``NotFound`` for what is absent or of other parties."""
        agreement = (await self._agreements.get(agreement_id)).state
        is_own = agreement.buyer_id == scope.buyer_id if scope.buyer_id else scope.covers(agreement.factory_id)
        if not is_own:
            raise NotFound("There is no such agreement.")
        return agreement

    async def find(
        self, scope: Scope, *, factory_id: str | None, buyer_id: str | None, limit: int, after: str | None
    ) -> Found[Agreement]:
        """Read one page of the agreements in scope, newest first; raises ``InvalidCursor``."""
        where: list[dict[str, object]] = []
        if scope.buyer_id is not None:
            where.append({"state.buyer_id": scope.buyer_id})
        elif scope.factories is not None:
            where.append({"state.factory_id": {"$in": sorted(scope.factories)}})
        asked = {"state.factory_id": factory_id, "state.buyer_id": buyer_id}
        where += [{path: value} for path, value in asked.items() if value]
        wanted = {"$and": where} if where else None
        return await self._agreements.find(wanted, sort=[("state.proposed_at", -1)], limit=limit, after=after)

    async def terminated(self, ids: Collection[str], scope: Scope) -> list[Agreement]:
        """Those of these agreements that were terminated; the programme alone asks."""
        found: list[Agreement] = []
        wanted = sorted(ids) if scope.factories is None else []
        sides = {"state.termination.side": {"$in": [side.value for side in Side]}}
        for start in range(0, len(wanted), PAGE):
            where = {"_id": {"$in": wanted[start : start + PAGE]}, **sides}
            found += (await self._agreements.find(where, limit=PAGE)).items
        return found

    async def add(self, agreement: Agreement, event: Event, *, request: object) -> None:
        """Store a new agreement with its event; raises ``Conflict`` for a taken id."""
        await self._agreements.create(agreement.id, agreement, (event,), request=request)

    async def change(self, agreement_id: str, decide: Decision) -> Agreement:
        """Store what a pure decision makes of an agreement; raises its refusals."""
        return await self._agreements.change(agreement_id, decide)
