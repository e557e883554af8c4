"""Endpoints of webhooks and the messages on their way to them as documents.

NOTE: the keys stand in the documents as they are, because every message is signed with them. Who can read the database
of access can forge messages to buyers, which hold nothing but ids; the database and its backups are encrypted on disk.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from contracts.errors import Conflict, NotFound
from contracts.identity import Scope
from services.access.domain.webhook import Endpoint, Outgoing, TooManyWebhooks
from services.runtime.aggregates import Found
from services.runtime.documents import Document, Documents, DuplicateKey, Index

ATTEMPTS: Final = 20
MOST: Final = 200


class Webhooks:
    """The endpoints of buyers, each seen by its own buyer alone, and their messages."""

    def __init__(self, documents: Documents) -> None:
        endpoints = (
            Index(("endpoint.buyer_id", "endpoint.created_at")),
            Index(("endpoint.is_enabled",)),
            Index(("place",), unique=True, sparse=True),
        )
        messages = (Index(("endpoint_id", "due_ms")),)
        self._endpoints = documents.collection("webhooks", endpoints)
        self._messages = documents.collection("webhook_messages", messages)

    async def get(self, endpoint_id: str, scope: Scope) -> Endpoint:
        """Read one endpoint; raises ``NotFound`` for what is absent or another buyer's."""
        return (await self._found(endpoint_id, scope))[1]

    async def find(self, scope: Scope, *, limit: int, after: str | None) -> Found[Endpoint]:
        """Read one page of the endpoints in scope, oldest first; raises ``InvalidCursor``."""
        if scope.buyer_id is None:
            return Found([], None)
        where = {"endpoint.buyer_id": scope.buyer_id}
        page = await self._endpoints.find(where, sort=[("endpoint.created_at", 1)], limit=limit, after=after)
        return Found([_endpoint(document) for document in page.documents], page.next_cursor)

    async def enabled(self) -> list[Endpoint]:
        """Every endpoint that is sent messages, of all buyers."""
        found: list[Endpoint] = []
        after: str | None = None
        while True:
            page = await self._endpoints.find({"endpoint.is_enabled": True}, limit=MOST, after=after)
            found += [_endpoint(document) for document in page.documents]
            after = page.next_cursor
            if after is None:
                return found

    async def add(self, endpoint: Endpoint, *, most: int) -> Endpoint | None:
        """Store a new endpoint in one of the ``most`` places of its buyer; the one that has its id already is answered.

        Raises ``Conflict`` for a stranger's, and ``TooManyWebhooks`` when every place is taken.
        """
        for number in range(most):
            document = {"_id": endpoint.id, "version": 1, "place": f"{endpoint.buyer_id}:{number}"}
            try:
                await self._endpoints.insert({**document, "endpoint": msgspec.to_builtins(endpoint)})
            except DuplicateKey:
                present = await self._endpoints.get(endpoint.id)
                if present is not None and _endpoint(present).buyer_id != endpoint.buyer_id:
                    raise Conflict("The id is taken.") from None
                if present is not None:
                    return _endpoint(present)
            else:
                return None
        raise TooManyWebhooks(f"A buyer has at most {most} webhooks.")

    async def change(self, endpoint_id: str, scope: Scope, decide: Callable[[Endpoint], Endpoint]) -> Endpoint:
        """Store what a pure decision makes of an endpoint; raises ``NotFound`` and ``Conflict``."""
        for _ in range(ATTEMPTS):
            document, endpoint = await self._found(endpoint_id, scope)
            changed = decide(endpoint)
            written = {**document, "version": document["version"] + 1, "endpoint": msgspec.to_builtins(changed)}
            if changed == endpoint or await self._endpoints.replace(written, if_version=document["version"]):
                return changed
        raise Conflict("Too many others are writing this endpoint; try again.")

    async def remove(self, endpoint_id: str, scope: Scope) -> None:
        """Remove an endpoint with its messages; raises ``NotFound``."""
        await self._found(endpoint_id, scope)
        await self._endpoints.delete(endpoint_id)
        await self.drop_all(endpoint_id)

    async def put(self, message: Outgoing) -> None:
        """Store a message on its way; again changes nothing."""
        try:
            await self._messages.insert(_document(message, version=1))
        except DuplicateKey:
            return

    async def postpone(self, message: Outgoing) -> None:
        """Store when a message is tried again, unless it is gone."""
        present = await self._messages.get(message.id)
        if present is not None:
            written = _document(message, version=present["version"] + 1)
            await self._messages.replace(written, if_version=present["version"])

    async def drop(self, message_id: str) -> None:
        """Forget a message."""
        await self._messages.delete(message_id)

    async def drop_all(self, endpoint_id: str) -> None:
        """Forget every message of an endpoint."""
        while documents := (await self._messages.find({"endpoint_id": endpoint_id}, limit=MOST)).documents:
            for document in documents:
                await self._messages.delete(document["_id"])

    async def sweep(self, *, before: datetime) -> None:
        """Forget the messages made before then whose endpoint is gone or disabled: what a crash has left of them."""
        enabled = {endpoint.id for endpoint in await self.enabled()}
        after: str | None = None
        while True:
            page = await self._messages.find({"made_ms": {"$lt": _ms(before)}}, limit=MOST, after=after)
            for document in page.documents:
                if document["endpoint_id"] not in enabled:
                    await self._messages.delete(document["_id"])
            after = page.next_cursor
            if after is None:
                return

    async def waiting(self, endpoint_id: str) -> int:
        """How many messages are on their way to an endpoint."""
        return await self._messages.count({"endpoint_id": endpoint_id})

    async def due(self, endpoint_id: str, *, now: datetime, limit: int) -> list[Outgoing]:
        """The messages of an endpoint whose time has come, the longest due first."""
        where = {"endpoint_id": endpoint_id, "due_ms": {"$lte": _ms(now)}}
        page = await self._messages.find(where, sort=[("due_ms", 1)], limit=limit)
        return [msgspec.convert(document["message"], Outgoing) for document in page.documents]

    async def _found(self, endpoint_id: str, scope: Scope) -> tuple[Document, Endpoint]:
        document = await self._endpoints.get(endpoint_id)
        endpoint = _endpoint(document) if document is not None else None
        if (
            document is None
            or endpoint is None
            or (scope.factories is not None and scope.buyer_id != endpoint.buyer_id)
        ):
            raise NotFound("There is no such webhook.")
        return document, endpoint


def _endpoint(document: Document) -> Endpoint:
    return msgspec.convert(document["endpoint"], Endpoint)


def _document(message: Outgoing, *, version: int) -> Document:
    return {
        "_id": message.id,
        "version": version,
        "endpoint_id": message.endpoint_id,
        "due_ms": _ms(message.due_at),
        "made_ms": _ms(message.at),
        "message": msgspec.to_builtins(message),
    }


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
