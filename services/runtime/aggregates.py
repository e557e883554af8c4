"""Aggregates in documents: state, outbox and inbox in one document, written whole, only if nobody was faster.

The document::

    {"_id", "version", "state": {...}, "sequence": n, "pending": [message ...], "applied": {"service:subject": n}}

``pending`` is the outbox: events of this aggregate that the relay has not yet published.
``applied`` is the inbox: per source aggregate the last sequence that was handled here.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec
from uuid_utils.compat import uuid7

from contracts.errors import Conflict, NotFound
from contracts.events import Event
from services.runtime.bus import Delivery
from services.runtime.documents import Collection, Document, DuplicateKey, Filter, Sort
from services.runtime.relay import Relay
from services.runtime.telemetry import traceparent

S = TypeVar("S", bound=msgspec.Struct)
WRITE_ATTEMPTS = 12


class Found(msgspec.Struct, Generic[S], frozen=True):
    """One page of states and the cursor of the next page."""

    items: list[S]
    next_cursor: str | None


class Stored(msgspec.Struct, Generic[S], frozen=True):
    """A state as it was read, with the version to write against."""

    id: str
    version: int
    state: S


class Aggregates(Generic[S]):
    """The aggregates of one kind in one collection. Stores wrap it and add the caller's ``Scope``."""

    def __init__(self, collection: Collection, state: type[S], *, source: str, relay: Relay) -> None:
        """``source`` is the CloudEvents source, ``<country>/<service>``."""
        self._collection = collection
        self._state = state
        self._source = source
        self._relay = relay
        relay.watch(collection)

    async def get(self, aggregate_id: str) -> Stored[S]:
        """Read one aggregate; raises ``NotFound``."""
        document = await self._collection.get(aggregate_id)
        if document is None:
            raise NotFound("There is no such document.")
        return Stored(aggregate_id, document["version"], self._decoded(document))

    async def find(
        self, where: Filter | None = None, *, sort: Sort = (), limit: int = 100, after: str | None = None
    ) -> Found[S]:
        """Read one page; paths of ``where`` and ``sort`` begin with ``state.``; raises ``InvalidCursor``."""
        page = await self._collection.find(where, sort=sort, limit=limit, after=after)
        return Found([self._decoded(document) for document in page.documents], page.next_cursor)

    async def create(
        self,
        aggregate_id: str,
        state: S,
        events: Sequence[Event] = (),
        *,
        cause: Delivery | None = None,
        request: object = None,
    ) -> bool:
        """Store a new aggregate with its events.

        The same id again is answered ``False`` when it was created from an equal ``request`` (by default the
        state itself) or by the same ``cause``: a client's or the bus's repetition. Otherwise it raises
        ``Conflict``.
        """
        fresh = _digest(state if request is None else request)
        document: Document = {"_id": aggregate_id, "version": 0, "sequence": 0, "pending": [], "applied": {}}
        written = self._next({**document, "created": fresh}, state, events, cause)
        try:
            await self._collection.insert(written)
        except DuplicateKey:
            present = await self._collection.get(aggregate_id)
            if present is not None and (_is_applied(present, cause) or present["created"] == fresh):
                return False
            raise Conflict("The id, or another unique value, is taken by a different document.") from None
        self._wake(written)
        return True

    async def change(
        self,
        aggregate_id: str,
        decide: Callable[[S], tuple[S, Sequence[Event]]],
        *,
        cause: Delivery | None = None,
        if_version: int | None = None,
    ) -> S:
        """Apply a pure decision and store the new state with its events in one write.

        The decision runs again on the newer state when another writer was faster, at most ``WRITE_ATTEMPTS``
        times. A ``cause`` that was applied before changes nothing. Raises ``NotFound``, ``Conflict`` (also when
        ``if_version`` is not the stored version) and whatever the decision refuses.
        """
        for _ in range(WRITE_ATTEMPTS):
            document = await self._collection.get(aggregate_id)
            if document is None:
                raise NotFound("There is no such document.")
            state = self._decoded(document)
            if _is_applied(document, cause):
                return state
            if if_version is not None and document["version"] != if_version:
                raise Conflict(f"The document is at version {document['version']}, not {if_version}.")
            changed, events = decide(state)
            if changed == state and not events and cause is None:
                return state
            written = self._next(document, changed, events, cause)
            if await self._collection.replace(written, if_version=document["version"]):
                self._wake(written)
                return changed
        raise Conflict("Too many others are writing this document; try again.")

    def _decoded(self, document: Document) -> S:
        return msgspec.convert(document["state"], self._state)

    def _next(self, document: Document, state: S, events: Sequence[Event], cause: Delivery | None) -> Document:
        """The document after one decision: next version, events appended to the outbox, cause noted."""
        sequence = document["sequence"]
        pending = [self._message(document["_id"], sequence + n, event) for n, event in enumerate(events, start=1)]
        applied = dict(document["applied"])
        if cause is not None:
            applied[_key(cause)] = cause.message.sequence
        return {
            **document,
            "version": document["version"] + 1,
            "state": msgspec.to_builtins(state),
            "sequence": sequence + len(pending),
            "pending": [*document["pending"], *pending],
            "applied": applied,
        }

    def _message(self, subject: str, sequence: int, event: Event) -> Document:
        """The message as it waits in the outbox: the attributes of ``bus.Message`` and the body as an object."""
        return {
            "id": str(uuid7()),
            "type": event.type,
            "source": self._source,
            "subject": subject,
            "sequence": sequence,
            "time": datetime.now(UTC).isoformat(),
            "traceparent": traceparent(),
            "body": msgspec.to_builtins(event),
        }

    def _wake(self, document: Document) -> None:
        if document["pending"]:
            self._relay.wake(self._collection, document["_id"])


def _digest(content: object) -> str:
    """A fingerprint of what something was created from."""
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _key(cause: Delivery) -> str:
    """The inbox key of a delivery: the announcing service and the aggregate it speaks of."""
    return f"{cause.message.source.rpartition('/')[2]}:{cause.message.subject}"


def _is_applied(document: Document, cause: Delivery | None) -> bool:
    return cause is not None and document["applied"].get(_key(cause), 0) >= cause.message.sequence
