"""What buyers see of the endpoints of their webhooks."""

from datetime import datetime

import msgspec

from contracts.identity import Scope
from services.access.domain.webhook import Endpoint, MessageType, Scheme
from services.access.store.webhooks import Webhooks


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint and how it fares; ``waiting`` are the messages that it has not confirmed.

    ``registered_by`` is the subject of the token with which it was registered, so that those of who leaves are known.
    Until ``paused_until`` it is left alone, as it asked by ``Retry-After``.
    """

    id: str
    url: str
    types: tuple[MessageType, ...]
    scheme: Scheme
    created_at: datetime
    registered_by: str
    is_enabled: bool
    disabled_at: datetime | None
    disabled_because: str
    delivered_at: datetime | None
    failed_at: datetime | None
    failure: str
    paused_until: datetime | None
    waiting: int


class WebhookWithKey(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with what it checks messages by, ``whsec_`` or ``whpk_``; null when it was shown before."""

    webhook: WebhookView
    key: str | None


class WebhookPage(msgspec.Struct, frozen=True):
    """One page of endpoints and the cursor of the next."""

    items: list[WebhookView]
    next_cursor: str | None


async def list_webhooks(webhooks: Webhooks, scope: Scope, *, limit: int, after: str | None) -> WebhookPage:
    """List the endpoints in scope, oldest first; raises ``InvalidCursor``."""
    page = await webhooks.find(scope, limit=limit, after=after)
    return WebhookPage([await _counted(webhooks, endpoint) for endpoint in page.items], page.next_cursor)


async def read_webhook(webhooks: Webhooks, webhook_id: str, scope: Scope) -> WebhookView:
    """Read one endpoint in scope; raises ``NotFound``."""
    return await _counted(webhooks, await webhooks.get(webhook_id, scope))


def with_key(endpoint: Endpoint, *, is_shown: bool) -> WebhookWithKey:
    """An endpoint that was just given its key, or another one."""
    return WebhookWithKey(webhook=view(endpoint, waiting=0), key=endpoint.key.shown if is_shown else None)


def view(endpoint: Endpoint, *, waiting: int) -> WebhookView:
    """An endpoint as its buyer sees it."""
    names = set(WebhookView.__struct_fields__) & set(Endpoint.__struct_fields__)
    return WebhookView(**{name: getattr(endpoint, name) for name in names}, scheme=endpoint.key.scheme, waiting=waiting)


async def _counted(webhooks: Webhooks, endpoint: Endpoint) -> WebhookView:
    return view(endpoint, waiting=await webhooks.waiting(endpoint.id))
