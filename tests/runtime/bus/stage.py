"""Where a bus runs in the tests: the store that outlives it, messages, and listeners that remember."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import msgspec

from services.runtime.bus import Ack, Bus, Delivery, Handle, Message, RetryPolicy, Verdict
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.bus.rabbit import RabbitBus
from services.runtime.documents.sqlite import SqliteDocuments

QUICK = RetryPolicy(attempts=3, delay_ms=30)
GRACE_S = 0.5

Subscription = tuple[str, Sequence[str], Handle]


class Stage(Protocol):
    """A place where one bus after the other, or several at once, see the same queues."""

    def running(self, *subscriptions: Subscription, policy: RetryPolicy = QUICK) -> AbstractAsyncContextManager[Bus]:
        """A started bus; stopped at the end."""


class OnFile:
    """In-process buses over one SQLite file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @asynccontextmanager
    async def running(self, *subscriptions: Subscription, policy: RetryPolicy = QUICK) -> AsyncIterator[Bus]:
        documents = SqliteDocuments(self.file)
        bus = InProcessBus(documents.collection("messages", INDEXES), policy, grace_s=GRACE_S)
        await documents.start()
        try:
            async with _running(bus, subscriptions):
                yield bus
        finally:
            await documents.stop()


class OnRabbit:
    """Buses over one RabbitMQ."""

    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def running(self, *subscriptions: Subscription, policy: RetryPolicy = QUICK) -> AsyncIterator[Bus]:
        bus = RabbitBus(self.url, service="test", policy=policy, confirm_timeout_s=5, grace_s=GRACE_S)
        async with _running(bus, subscriptions):
            yield bus


@asynccontextmanager
async def _running(bus: Bus, subscriptions: Sequence[Subscription]) -> AsyncIterator[None]:
    for listener, types, handle in subscriptions:
        bus.subscribe(listener, types, handle)
    await bus.start()
    try:
        yield
    finally:
        await bus.stop()


class Remembering:
    """A handler that notes every delivery and answers by rule."""

    def __init__(self, answer: Callable[[Delivery], Verdict] = lambda _: Ack()) -> None:
        self.answer = answer
        self.deliveries: list[Delivery] = []

    async def __call__(self, delivery: Delivery) -> Verdict:
        self.deliveries.append(delivery)
        return self.answer(delivery)

    @property
    def ids(self) -> list[str]:
        return [delivery.message.id for delivery in self.deliveries]


class Stuck:
    """A handler that never comes to an end."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def __call__(self, _: Delivery) -> Verdict:
        self.began.set()
        await asyncio.Event().wait()
        return Ack()


def a_name(stem: str) -> str:
    """A listener or an event type of one test alone, because tests share the broker."""
    return f"{stem}-{uuid4().hex[:12]}"


def a_message(event_type: str, *, sequence: int = 1, subject: str = "visit-1", body: bytes = b'{"a":1}') -> Message:
    return Message(
        id=str(uuid4()),
        type=event_type,
        source="aa/assessment",
        subject=subject,
        sequence=sequence,
        time="2026-11-23T10:00:00Z",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        body=msgspec.Raw(body),
    )
