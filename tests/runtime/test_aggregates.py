"""Aggregates: one write for state and events, applied once, and bounded retries against other writers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from contracts.errors import Conflict, NotFound, RuleBroken
from contracts.events import Event
from services.runtime.aggregates import Aggregates
from services.runtime.bus import Delivery, Message
from services.runtime.documents import Collection, Document
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.relay import Relay
from tests.support.eventually import eventually
from tests.support.services import a_message


class Counted(Event, frozen=True, kw_only=True):
    """Something was counted."""

    type: ClassVar[str] = "runtime.counter.counted.v1"
    total: int


class Counter(msgspec.Struct, frozen=True):
    """A number that is counted up."""

    total: int = 0


class FullUp(RuleBroken):
    """The counter is full."""


def add_one(counter: Counter) -> tuple[Counter, tuple[Counted]]:
    total = counter.total + 1
    return Counter(total), (Counted(total=total),)


class Memory:
    """A bus that keeps what it confirms, and can be told to refuse."""

    def __init__(self) -> None:
        self.kept: list[Message] = []
        self.refusing = 0

    async def publish(self, messages: Sequence[Message]) -> set[str]:
        if self.refusing:
            self.refusing -= 1
            return set()
        self.kept += messages
        return {message.id for message in messages}


class World:
    """Counters in SQLite with a relay onto a bus in memory."""

    def __init__(self, documents: SqliteDocuments) -> None:
        self.bus = Memory()
        self.relay = Relay(self.bus, scan_every_s=60)  # type: ignore[arg-type]
        self.collection: Collection = documents.collection("counters")
        self.counters = Aggregates(self.collection, Counter, source="ZZ/runtime", relay=self.relay)

    async def stored(self) -> dict[str, object]:
        return await self.collection.get("c") or {}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    documents = SqliteDocuments(tmp_path / "d.sqlite")
    made = World(documents)
    await documents.start()
    yield made
    await made.relay.stop()
    await documents.stop()


def a_delivery(sequence: int, subject: str = "other") -> Delivery:
    return Delivery(a_message(Counted(total=0), subject=subject, sequence=sequence), 1)


async def test_state_and_events_are_one_write(world: World) -> None:
    await world.counters.create("c", Counter(), (Counted(total=0),))
    await world.counters.change("c", add_one)
    document = await world.stored()
    assert document["state"] == {"total": 1}
    assert document["version"] == 2
    pending = document["pending"]
    assert isinstance(pending, list)
    assert [(raw["sequence"], raw["body"]["total"]) for raw in pending] == [(1, 0), (2, 1)]


async def test_many_writers_lose_nothing(world: World) -> None:
    await world.counters.create("c", Counter())

    async def patient() -> None:
        while True:
            try:
                await world.counters.change("c", add_one)
            except Conflict:
                continue
            return

    await asyncio.gather(*(patient() for _ in range(100)))
    assert (await world.counters.get("c")).state.total == 100
    document = await world.stored()
    pending = document["pending"]
    assert isinstance(pending, list)
    assert [raw["sequence"] for raw in pending] == list(range(1, 101))


async def test_a_refused_decision_writes_nothing(world: World) -> None:
    await world.counters.create("c", Counter())

    def refuse(_: Counter) -> tuple[Counter, tuple[Counted]]:
        raise FullUp("It is full.")

    before = await world.stored()
    with pytest.raises(FullUp):
        await world.counters.change("c", refuse)
    assert await world.stored() == before


async def test_a_delivery_that_comes_again_changes_nothing(world: World) -> None:
    await world.counters.create("c", Counter())
    for sequence in (1, 1, 2, 1, 2):
        await world.counters.change("c", add_one, cause=a_delivery(sequence))
    assert (await world.counters.get("c")).state.total == 2


async def test_deliveries_of_different_sources_are_told_apart(world: World) -> None:
    await world.counters.create("c", Counter())
    await world.counters.change("c", add_one, cause=a_delivery(1, subject="one"))
    await world.counters.change("c", add_one, cause=a_delivery(1, subject="two"))
    assert (await world.counters.get("c")).state.total == 2


async def test_creating_alike_twice_is_one_creation(world: World) -> None:
    assert await world.counters.create("c", Counter(3))
    assert not await world.counters.create("c", Counter(3))
    with pytest.raises(Conflict):
        await world.counters.create("c", Counter(4))


async def test_a_repeated_request_is_recognised_though_the_clock_moved_on(world: World) -> None:
    assert await world.counters.create("c", Counter(1), request={"name": "x"})
    assert not await world.counters.create("c", Counter(2), request={"name": "x"})
    assert (await world.counters.get("c")).state.total == 1


async def test_a_demanded_version_must_be_the_stored_one(world: World) -> None:
    await world.counters.create("c", Counter())
    await world.counters.change("c", add_one, if_version=1)
    with pytest.raises(Conflict, match="version 2"):
        await world.counters.change("c", add_one, if_version=1)


async def test_what_is_absent_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.counters.get("nobody")
    with pytest.raises(NotFound):
        await world.counters.change("nobody", add_one)


async def test_the_relay_publishes_in_order_and_empties_the_outbox(world: World) -> None:
    await world.relay.start()
    await world.counters.create("c", Counter(), (Counted(total=0),))
    for _ in range(20):
        await world.counters.change("c", add_one)
    await eventually(lambda: len({m.id for m in world.bus.kept}) == 21, saying="21 events on the bus")
    first_seen = list(dict.fromkeys(message.sequence for message in world.bus.kept))
    assert first_seen == list(range(1, 22))

    async def empty() -> bool:
        return (await world.stored())["pending"] == []

    await eventually(empty, saying="an empty outbox")
    assert (await world.stored())["version"] == 21


async def test_what_a_crash_left_in_the_outbox_is_published_at_the_next_start(world: World) -> None:
    await world.counters.create("c", Counter(), (Counted(total=7),))
    successor = Relay(world.bus, scan_every_s=60)  # type: ignore[arg-type]
    successor.watch(world.collection)
    await successor.start()
    await eventually(lambda: len(world.bus.kept) == 1, saying="the event of before the crash")
    await successor.stop()


async def test_what_the_bus_did_not_confirm_is_published_again(world: World) -> None:
    world.bus.refusing = 2
    await world.relay.start()
    await world.counters.create("c", Counter(), (Counted(total=7),))
    await eventually(lambda: len(world.bus.kept) == 1, saying="the third attempt")


class Interrupted:
    """The relay's view of a collection, in which somebody commits while the relay is reading."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._collection, name)

    async def get(self, document_id: str) -> Document | None:
        document = await self._collection.get(document_id)
        if self.meanwhile is not None:
            commit, self.meanwhile = self.meanwhile, None
            await commit()
        return document


async def test_a_commit_while_the_relay_reads_the_document_is_not_left_to_the_next_scan(world: World) -> None:
    view = Interrupted(world.collection)
    world.relay.watch(view)  # type: ignore[arg-type]
    await world.relay.start()
    view.meanwhile = lambda: world.counters.change("c", add_one)
    await world.counters.create("c", Counter(), (Counted(total=0),))
    await eventually(lambda: len({m.id for m in world.bus.kept}) == 2, within_s=3, saying="both events, before a scan")


async def test_an_outbox_that_cannot_be_emptied_does_not_hold_up_the_others(tmp_path: Path) -> None:
    class Choosy(Memory):
        async def publish(self, messages: Sequence[Message]) -> set[str]:
            return await super().publish([message for message in messages if message.subject != "stuck"])

    documents, bus = SqliteDocuments(tmp_path / "two.sqlite"), Choosy()
    relay = Relay(bus, scan_every_s=60)  # type: ignore[arg-type]
    collections = [documents.collection("first"), documents.collection("second")]
    first, second = (Aggregates(each, Counter, source="ZZ/runtime", relay=relay) for each in collections)
    await documents.start()
    await first.create("stuck", Counter(), (Counted(total=0),))
    await second.create("free", Counter(), (Counted(total=0),))
    relay._woken.clear()  # as after a restart
    await relay.start()
    await eventually(lambda: [m.subject for m in bus.kept] == ["free"], saying="the event of the other outbox")
    await relay.stop()
    await documents.stop()
