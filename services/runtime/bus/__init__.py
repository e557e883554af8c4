"""The bus port: publishing with confirmation, one queue per listener, retries, and a place for what fails."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvents 1.0 event on its way: the attributes, and the JSON body as raw bytes.

    ``source`` is ``<country>/<service>``, ``subject`` the aggregate's id, ``sequence`` counts the events of that
    aggregate from 1, ``time`` is RFC 3339 UTC, ``traceparent`` is W3C Trace Context or empty.
    """

    id: str
    type: str
    source: str
    subject: str
    sequence: int
    time: str
    traceparent: str
    body: msgspec.Raw


class Delivery(msgspec.Struct, frozen=True):
    """One attempt to hand a message to a listener; ``attempt`` counts from 1, without those that did not count."""

    message: Message
    attempt: int


class Ack(msgspec.Struct, frozen=True):
    """The message is done with."""


class Retry(msgspec.Struct, frozen=True):
    """Deliver the message again after the delay; ``is_counted`` tells whether this used up one of its attempts."""

    reason: str
    is_counted: bool = True


class Park(msgspec.Struct, frozen=True):
    """Put the message aside with its reason, so that it holds up nothing."""

    reason: str


Verdict = Ack | Retry | Park
Handle = Callable[[Delivery], Awaitable[Verdict]]
"""A listener's dispatch core: never raises, always gives a verdict."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often a message is tried before it is parked, and the pause between two attempts."""

    attempts: int = 8
    delay_ms: int = 2_000


class Parked(msgspec.Struct, frozen=True):
    """A message that was put aside: when (RFC 3339 UTC), after how many attempts and why."""

    listener: str
    message: Message
    reason: str
    attempts: int
    parked_at: str


class Bus(Protocol):
    """Where events are published and listeners are served, at least once, in any order after a retry."""

    def subscribe(self, listener: str, types: Collection[str], handle: Handle) -> None:
        """Declare a listener's one queue and the event types bound to it; call before ``start``."""

    async def start(self) -> None:
        """Connect, declare the topology and begin to deliver."""

    async def stop(self) -> None:
        """Take no new delivery, let the running ones finish, let go of every resource."""

    async def ping(self) -> None:
        """Return when the bus answered; raise when it cannot serve."""

    async def publish(self, messages: Sequence[Message]) -> set[str]:
        """Publish in order and return the ids that the bus confirmed to keep; never waits past its deadline."""

    async def parked(self, listener: str, *, limit: int = 100) -> list[Parked]:
        """Read what is parked for a listener, oldest first, without moving it."""

    async def replay(self, listener: str, *, message_id: str | None = None) -> int:
        """Queue one parked message (or all) again as a first attempt; tell how many."""
