"""What buyers do to the endpoints of their webhooks."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import Conflict
from contracts.identifiers import Id, derived_id
from contracts.identity import Scope
from services.access.domain.addresses import checked_url
from services.access.domain.closing import demand_open
from services.access.domain.sharing import Point
from services.access.domain.webhook import Endpoint, Key, MessageType, Outgoing, Reference, Scheme
from services.access.store.changes import Journal
from services.access.store.ledger import Ledger
from services.access.store.webhooks import Webhooks

MOST_ENDPOINTS: Final = 10


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as a buyer asks for it, ``by`` the subject of a person."""

    id: Id
    buyer_id: str
    url: str
    types: tuple[MessageType, ...]
    scheme: Scheme
    by: str


class Registering:
    """Registers endpoints, and keeps their keys."""

    def __init__(
        self, webhooks: Webhooks, journal: Journal, ledger: Ledger, *, zone: ZoneInfo, allows_loopback: bool
    ) -> None:
        self._webhooks = webhooks
        self._journal = journal
        self._ledger = ledger
        self._zone = zone
        self._allows_loopback = allows_loopback

    async def register(self, asked: Asked, *, now: datetime) -> tuple[Endpoint, bool]:
        """Register an endpoint, which is told what changes from now on; tell whether it is new.

        The same again is answered as it is. Raises ``BuyerIsClosed``, ``Malformed``, ``Conflict`` and
        ``TooManyWebhooks``.
        """
        demand_open(await self._ledger.current(), asked.buyer_id)
        url = checked_url(asked.url, allows_loopback=self._allows_loopback)
        endpoint = Endpoint(
            id=asked.id,
            buyer_id=asked.buyer_id,
            url=url,
            types=_in_order(asked.types),
            key=_new_key(asked.scheme),
            created_at=now,
            registered_by=asked.by,
            since=await self._here(now),
        )
        present = await self._webhooks.add(endpoint, most=MOST_ENDPOINTS)
        if present is None:
            return endpoint, True
        if (present.url, present.types, present.key.scheme) != (endpoint.url, endpoint.types, asked.scheme):
            raise Conflict("The id is taken by a different webhook.")
        return present, False

    async def rotate(self, endpoint_id: str, scope: Scope, *, now: datetime) -> Endpoint:
        """Give an endpoint another key; the present one goes on for a day beside it.

        Raises ``NotFound`` and ``TooManyRotations``.
        """
        found = await self._webhooks.get(endpoint_id, scope)
        key = _new_key(found.key.scheme)
        return await self._webhooks.change(endpoint_id, scope, lambda endpoint: endpoint.rotated(key, now=now))

    async def enable(self, endpoint_id: str, scope: Scope, *, now: datetime) -> Endpoint:
        """Send to an endpoint again: to a disabled one first that it has to read the changes feed.

        One that asked to be left alone is sent what waits for it. Raises ``NotFound``.
        """
        found = await self._webhooks.get(endpoint_id, scope)
        if found.is_enabled:
            return await self._webhooks.change(endpoint_id, scope, Endpoint.resumed)
        await self._webhooks.drop_all(endpoint_id)
        await self._webhooks.put(sync_needed(found, f"enabled after {found.disabled_at}", now=now))
        here = await self._here(now)
        return await self._webhooks.change(endpoint_id, scope, lambda endpoint: endpoint.enabled(here))

    async def _here(self, now: datetime) -> Point:
        last_change = (await self._journal.current()).last
        fold = await self._ledger.current()
        return Point(last_change, fold.epoch, fold.hash, now.astimezone(self._zone).date())


def sync_needed(endpoint: Endpoint, why: str, *, now: datetime) -> Outgoing:
    """The message that tells an endpoint to read the changes feed; for the same reason it is the same one."""
    return Outgoing(
        id=derived_id("webhook", endpoint.id, MessageType.SYNC_NEEDED, why),
        endpoint_id=endpoint.id,
        type=MessageType.SYNC_NEEDED,
        about=Reference(),
        at=now,
        due_at=now,
    )


def _new_key(scheme: Scheme) -> Key:
    return Key(scheme, base64.b64encode(secrets.token_bytes(32)).decode())


def _in_order(types: Sequence[MessageType]) -> tuple[MessageType, ...]:
    return tuple(each for each in MessageType if each in types)
