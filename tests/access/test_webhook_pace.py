"""How much webhooks cost, and how fast they come: looked for once a buyer, sent a few at a time, paused on request."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.access.domain.sharing import SharedDocument
from services.access.domain.webhook import Outgoing
from services.access.queries.webhooks import read_webhook
from services.access.store.changes import Journal
from services.access.store.webhooks import Webhooks
from services.access.usecases import delivering
from tests.access.hooks import OWN, Hooks, Receiver, a_receiver, hooks
from tests.support.eventually import eventually

DAY = {"retry-after": "86400"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as found:
        yield found


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with hooks(tmp_path) as found:
        yield found


class Walked(Journal):
    """Counts how often all documents are walked."""

    times = 0

    def documents(self, *, behind: str = "") -> Iterator[SharedDocument]:
        Walked.times += 1
        return super().documents(behind=behind)


async def test_the_documents_are_walked_once_a_buyer_and_only_when_its_rights_may_have_changed(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with hooks(tmp_path, journal=Walked) as country:
        for endpoint_id in ("h1", "h2", "h3"):
            await country.register(receiver.url, endpoint_id)
        Walked.times = 0
        await country.share()
        await country.settle()
        assert (Walked.times, len(receiver.told("sharing.began"))) == (1, 9)
        await country.publish("elsewhere", "f2")
        await country.publish("p1")
        await country.settle()
        assert (Walked.times, len(receiver.told("document.changed"))) == (1, 3)
        await country.pay(cycles=(3,))  # a partner sees nothing more for it
        await country.settle()
        await country.publish("elsewhere", "f2")
        await country.settle()
        assert (Walked.times, len(receiver.got)) == (2, 12)


async def test_what_ends_by_date_is_told_although_nothing_was_written(country: Hooks, receiver: Receiver) -> None:
    await country.share(ends_on=country.today)
    await country.register(receiver.url)
    await country.settle()
    assert receiver.got == []
    country.now += timedelta(days=1)
    await country.settle()
    assert len(receiver.told("sharing.ended")) == 3


async def test_an_endpoint_that_was_enabled_again_is_not_told_what_changed_while_it_was_not(
    country: Hooks, receiver: Receiver
) -> None:
    """It is told to read the feed instead, even where this process had last looked before it was disabled."""
    await country.share()
    await country.register(receiver.url)
    await country.pay(cycles=(3,))
    await country.settle()
    await country.webhooks.change("h1", OWN, lambda found: found.disabled("for a test", now=country.now))
    await country.publish()
    await country.registering.enable("h1", OWN, now=country.now)
    await country.settle()
    assert [message["type"] for message in receiver.messages] == ["sync.needed"]


class SlowlyFound(Webhooks):
    """Answers what is due only when it may, as it was before."""

    may_answer: asyncio.Event
    has_read: asyncio.Event

    async def due(self, endpoint_id: str, *, now: datetime, limit: int) -> list[Outgoing]:
        found = await super().due(endpoint_id, now=now, limit=limit)
        self.has_read.set()
        await self.may_answer.wait()
        return found


@pytest.mark.parametrize("answer", [204, 500])
async def test_what_ends_while_the_store_is_asked_what_is_due_is_not_sent_again(
    tmp_path: Path, receiver: Receiver, answer: int
) -> None:
    async with hooks(tmp_path, webhooks=SlowlyFound) as country:
        store, may_end = country.webhooks, asyncio.Event()
        assert isinstance(store, SlowlyFound)
        store.may_answer, store.has_read = asyncio.Event(), asyncio.Event()
        store.may_answer.set()
        receiver.before = may_end.wait  # type: ignore[assignment]
        receiver.answer = answer
        await country.share()
        await country.register(receiver.url)
        await country.publish()
        await country.delivering.look()
        await eventually(lambda: bool(receiver.got), saying="the message received")
        store.may_answer.clear()
        store.has_read.clear()
        looking = asyncio.create_task(country.delivering.look())
        await store.has_read.wait()
        may_end.set()
        await country.delivering.sent()
        store.may_answer.set()
        await looking
        await country.delivering.sent()
        assert len(receiver.got) == 1


async def test_a_buyer_whose_receivers_are_silent_takes_its_own_room_only(
    country: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "AT_ONCE_TO_A_BUYER", 3)
    never = asyncio.Event()
    receiver.before = never.wait  # type: ignore[assignment]
    await country.share()
    for endpoint_id in ("h1", "h2"):
        await country.register(receiver.url, endpoint_id)
    for number in range(4):
        await country.publish(f"p{number}")
    for _ in range(2):
        await country.delivering.look()
    await eventually(lambda: len(receiver.got) == 3, saying="three messages received")
    assert len(country.delivering._sending) == 3
    never.set()


async def paused(country: Hooks, receiver: Receiver) -> None:
    """A receiver that asked to be left alone for a day, and would now answer."""
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    receiver.answer, receiver.headers = 429, DAY
    await country.look()
    receiver.answer, receiver.headers = 204, {}
    receiver.got.clear()


async def test_a_pause_outlives_a_restart_and_is_shown(tmp_path: Path, receiver: Receiver) -> None:
    async with hooks(tmp_path) as country:
        await paused(country, receiver)
    async with hooks(tmp_path) as country:
        view = await read_webhook(country.webhooks, "h1", OWN)
        assert view.paused_until == country.now + timedelta(days=1)
        await country.after(hours=23)
        assert receiver.got == []
        await country.after(hours=1)
        assert len(receiver.got) == 1


@pytest.mark.parametrize("how", ["enabling", "rotating"])
async def test_a_pause_ends_when_the_buyer_says_so(country: Hooks, receiver: Receiver, how: str) -> None:
    await paused(country, receiver)
    act = country.registering.enable if how == "enabling" else country.registering.rotate
    assert (await act("h1", OWN, now=country.now)).paused_until is None
    await country.after(minutes=1)
    assert len(receiver.got) == 1


async def test_pauses_do_not_let_a_message_live_for_ever(country: Hooks, receiver: Receiver) -> None:
    await paused(country, receiver)
    receiver.answer, receiver.headers = 503, DAY
    for _ in range(4):
        assert (await country.endpoint()).is_enabled
        await country.after(days=1)
    endpoint = await country.endpoint()
    assert endpoint.disabled_because == "a message failed for more than three days; the last time it answered 503"


async def test_what_a_crash_leaves_of_removed_and_disabled_endpoints_is_swept(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The endpoint goes first and its messages one by one: a crash between them leaves some."""
    async with hooks(tmp_path) as country:
        await country.share()
        receiver.answer = 500
        for endpoint_id in ("removed", "disabled", "kept"):
            await country.register(receiver.url, endpoint_id)
        await country.publish()
        await country.look()
        await country.webhooks._endpoints.delete("removed")
        await country.webhooks.change("disabled", OWN, lambda found: found.disabled("for a test", now=country.now))
    async with hooks(tmp_path) as country:
        for days, left in ((0, 1), (1, 0)):
            country.now += timedelta(days=days, seconds=1)
            await country.look()
            waiting = [await country.webhooks.waiting(each) for each in ("removed", "disabled", "kept")]
            assert waiting == [left, left, 1]
