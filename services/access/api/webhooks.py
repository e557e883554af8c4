"""The HTTP routes of webhooks: a buyer says where it wants to be told what changed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from litestar import Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from uuid_utils.compat import uuid7

from contracts.errors import Malformed
from contracts.identifiers import Id
from contracts.identity import Principal, Scope
from contracts.permissions import Permission
from services.access.api.speaking import own_buyer
from services.access.domain.webhook import CHOSEN, MessageType, Scheme
from services.access.queries import webhooks as queries
from services.access.queries.webhooks import WebhookPage, WebhookView, WebhookWithKey
from services.access.store.webhooks import Webhooks
from services.access.usecases.webhooks import Asked, Registering
from services.runtime.http import Injected, PageSize, requires

_ONCE: Final[Mapping[str, str]] = {"cache-control": "no-store"}
"""What is shown once is kept by nobody on the way."""

Url = Annotated[str, msgspec.Meta(max_length=2000, description="https, on port 443 or above 1023, at a public address")]
_WITH_KEY: Final = {201: ResponseSpec(WebhookWithKey, description="With its key, shown once", generate_examples=False)}


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint; ``scheme`` v1 signs with a shared secret (HMAC-SHA256), v1a with a key of STAR alone (Ed25519)."""

    id: Id | None = None
    url: Url
    types: tuple[MessageType, ...] = CHOSEN
    scheme: Scheme = Scheme.V1


@post("/webhooks", guards=[requires(Permission.WEBHOOK_MANAGE)], responses=_WITH_KEY)
async def register_webhook(
    principal: Injected[Principal], registering: Injected[Registering], data: NewWebhook
) -> Response[WebhookWithKey]:
    """Register an endpoint, which is told from now on what changes for the caller's buyer; its key is shown once."""
    if not data.types:
        raise Malformed("A webhook needs at least one type of message.")
    asked = Asked(
        id=data.id or str(uuid7()),
        buyer_id=own_buyer(principal),
        url=data.url,
        types=data.types,
        scheme=data.scheme,
        by=principal.subject,
    )
    endpoint, is_new = await registering.register(asked, now=datetime.now(UTC))
    return Response(queries.with_key(endpoint, is_shown=is_new), headers=_ONCE)


@get("/webhooks", guards=[requires(Permission.WEBHOOK_MANAGE)])
async def list_webhooks(
    principal: Injected[Principal], webhooks: Injected[Webhooks], limit: PageSize = 50, cursor: str | None = None
) -> WebhookPage:
    """List the endpoints of the caller's buyer, oldest first."""
    return await queries.list_webhooks(webhooks, _own(principal), limit=limit, after=cursor)


@get("/webhooks/{webhook_id:str}", guards=[requires(Permission.WEBHOOK_MANAGE)])
async def read_webhook(principal: Injected[Principal], webhooks: Injected[Webhooks], webhook_id: str) -> WebhookView:
    """Read one endpoint: how it fares, and why it was disabled."""
    return await queries.read_webhook(webhooks, webhook_id, _own(principal))


@delete("/webhooks/{webhook_id:str}", guards=[requires(Permission.WEBHOOK_MANAGE)])
async def remove_webhook(principal: Injected[Principal], webhooks: Injected[Webhooks], webhook_id: str) -> None:
    """Remove an endpoint with all that was to be sent to it."""
    await webhooks.remove(webhook_id, _own(principal))


@post("/webhooks/{webhook_id:str}/secret", guards=[requires(Permission.WEBHOOK_MANAGE)], responses=_WITH_KEY)
async def rotate_secret(
    principal: Injected[Principal], registering: Injected[Registering], webhook_id: str
) -> Response[WebhookWithKey]:
    """Give an endpoint a new key, shown once; messages are signed by the one before as well for 24 hours."""
    endpoint = await registering.rotate(webhook_id, _own(principal), now=datetime.now(UTC))
    return Response(queries.with_key(endpoint, is_shown=True), headers=_ONCE)


@post("/webhooks/{webhook_id:str}/enabling", guards=[requires(Permission.WEBHOOK_MANAGE)])
async def enable_webhook(
    principal: Injected[Principal],
    webhooks: Injected[Webhooks],
    registering: Injected[Registering],
    webhook_id: str,
) -> WebhookView:
    """Send to a paused or disabled endpoint again, to the latter at first ``sync.needed``: read the changes feed."""
    await registering.enable(webhook_id, _own(principal), now=datetime.now(UTC))
    return await queries.read_webhook(webhooks, webhook_id, _own(principal))


def _own(principal: Principal) -> Scope:
    """The buyer that the caller speaks for, and nothing else, whatever other roles the caller has."""
    return Scope(country=principal.country, buyer_id=own_buyer(principal))


HANDLERS = (register_webhook, list_webhooks, read_webhook, remove_webhook, rotate_secret, enable_webhook)
