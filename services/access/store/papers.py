"""The scans of papers on which factories consented, as documents; every read takes a ``Scope``."""

from contracts.errors import NotFound
from contracts.identity import Scope
from services.access.domain.paper import ConsentPaper
from services.runtime.aggregates import Aggregates, Found
from services.runtime.documents import Documents, Index
from services.runtime.relay import Relay


class ConsentPapers:
    """What is known of every scan; no buyer sees any."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (Index(("state.factory_id", "state.paper.added_at")), Index(("state.paper.added_at",)))
        collection = documents.collection("papers", indexes)
        self._papers = Aggregates(collection, ConsentPaper, source=source, relay=relay)

    async def get(self, paper_id: str, scope: Scope) -> ConsentPaper:
        """Read one; raises ``NotFound`` for what is absent or another factory's."""
        paper = (await self._papers.get(paper_id)).state
        if scope.buyer_id is not None or not scope.covers(paper.factory_id):
            raise NotFound("There is no such paper.")
        return paper

    async def find(self, scope: Scope, *, factory_id: str | None, limit: int, after: str | None) -> Found[ConsentPaper]:
        """Read one page of the scans in scope, newest first; raises ``InvalidCursor``."""
        hidden: frozenset[str] = frozenset()
        factories = hidden if scope.buyer_id is not None else scope.factories
        where: list[dict[str, object]] = []
        if factories is not None:
            where.append({"state.factory_id": {"$in": sorted(factories)}})
        if factory_id:
            where.append({"state.factory_id": factory_id})
        wanted = {"$and": where} if where else None
        return await self._papers.find(wanted, sort=[("state.paper.added_at", -1)], limit=limit, after=after)

    async def add(self, paper: ConsentPaper) -> None:
        """Store what is known of a scan."""
        await self._papers.create(paper.id, paper)
