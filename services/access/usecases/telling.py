"""Making messages of what changed: what changed for a buyer is found once, whatever endpoints it has."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import NotFound
from contracts.identifiers import derived_id
from contracts.identity import Scope
from contracts.visibility import may_see
from services.access.domain.consent.fold import Fold
from services.access.domain.sharing import Point, Sight, changes
from services.access.domain.webhook import Endpoint, MessageType, Outgoing, Reference, about_document, turns
from services.access.store.changes import Journal
from services.access.store.ledger import Ledger
from services.access.store.webhooks import Webhooks
from services.access.usecases.webhooks import sync_needed

MOST_DOCUMENTS: Final = 200
"""Of more changed documents than this, at one time, an endpoint is told to read the changes feed instead."""

MOST_WAITING: Final = 1_000
"""While more messages than this wait for an endpoint nothing new is put beside them: it is told later, all in one."""

Told = Sequence[tuple[MessageType, Reference]]
"""What there is to tell a buyer."""


class Telling:
    """Puts messages on their way to endpoints.

    ``_looked`` holds up to where nothing was found to tell, beside the stored point from which that was.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        journal: Journal,
        ledger: Ledger,
        *,
        country: str,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
    ) -> None:
        self._webhooks = webhooks
        self._journal = journal
        self._ledger = ledger
        self._whole = Scope.whole(country)
        self._zone = zone
        self._clock = clock
        self._looked: dict[str, tuple[Point, Point]] = {}

    async def tell(self, endpoints: Sequence[Endpoint]) -> None:
        """Make messages for these endpoints, which are all that there are, of what changed up to now."""
        present = {endpoint.id for endpoint in endpoints}
        self._looked = {each: looked for each, looked in self._looked.items() if each in present}
        if not endpoints:
            return
        last_change = (await self._journal.current()).last
        fold = await self._ledger.current()
        here = Point(last_change, fold.epoch, fold.hash, self._today())
        found: dict[tuple[str, Point, Point], Told] = {}
        for endpoint in endpoints:
            with contextlib.suppress(NotFound):  # removed just now
                await self._tell(endpoint, fold, here, found)

    async def _tell(
        self, endpoint: Endpoint, fold: Fold, here: Point, found: dict[tuple[str, Point, Point], Told]
    ) -> None:
        """Make messages of what changed for an endpoint up to here; where it was left by a crash, up to there."""
        since, until = self._since(endpoint), endpoint.until or here
        if endpoint.until is None and (since == here or await self._webhooks.waiting(endpoint.id) > MOST_WAITING):
            return
        stretch = (endpoint.buyer_id, since, until)
        if stretch not in found:
            found[stretch] = self._found(fold, endpoint.buyer_id, since, until)
            await asyncio.sleep(0)  # leases are given by the same loop
        messages = self._messages(endpoint, found[stretch], until)
        if not messages and endpoint.until is None:
            self._looked[endpoint.id] = (endpoint.since, until)
            return
        if endpoint.until is None:
            await self._change(endpoint, since=since, until=until)
        for message in messages:
            await self._webhooks.put(message)
        try:
            await self._change(endpoint, since=until, until=None)
        except NotFound:
            await self._webhooks.drop_all(endpoint.id)
            raise

    def _since(self, endpoint: Endpoint) -> Point:
        stored, looked = self._looked.get(endpoint.id, (endpoint.since, endpoint.since))
        return looked if endpoint.until is None and stored == endpoint.since else endpoint.since

    def _found(self, fold: Fold, buyer_id: str, since: Point, until: Point) -> Told:
        """What changed for a buyer: all documents are walked only when another day or an entry about it may matter."""
        if since.day == until.day and fold.visible.changed(buyer_id) <= since.epoch:
            return [
                (MessageType.DOCUMENT_CHANGED, about_document(each))
                for each in self._journal.changed_after(since.change)
                if each.first <= until.change
                and may_see(fold.visible, buyer_id, each.factory_id, each.kind, until.day, each.cycle)
            ]
        today = max(until.day, self._today())
        sight = Sight(fold.concerning(buyer_id), since=since, until=until, today=today, zone=self._zone)
        documents = changes(self._journal.documents(), sight, since, until)
        told = [(MessageType.DOCUMENT_CHANGED, about_document(document)) for document, is_seen in documents if is_seen]
        return [*turns(sight), *told]

    def _messages(self, endpoint: Endpoint, told: Told, until: Point) -> list[Outgoing]:
        now = self._clock()
        here = f"{until.change} {until.epoch} {until.day}"
        chosen = [(kind, about) for kind, about in told if kind in endpoint.types]
        if sum(kind is MessageType.DOCUMENT_CHANGED for kind, _ in chosen) > MOST_DOCUMENTS:
            return [sync_needed(endpoint, here, now=now)]
        return [
            Outgoing(
                id=derived_id("webhook", endpoint.id, here, kind, msgspec.json.encode(about).decode()),
                endpoint_id=endpoint.id,
                type=kind,
                about=about,
                at=now,
                due_at=now,
            )
            for kind, about in chosen
        ]

    async def _change(self, endpoint: Endpoint, **fields: object) -> None:
        await self._webhooks.change(
            endpoint.id, self._whole, lambda present: msgspec.structs.replace(present, **fields)
        )

    def _today(self) -> date:
        return self._clock().astimezone(self._zone).date()
