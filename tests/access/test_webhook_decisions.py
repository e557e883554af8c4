"""What is sent is decided when it is sent: nothing follows an answered revocation, and only one process sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from services.access.store import receivers
from services.access.store.receivers import Answered, Deciding, Receivers
from tests.access.hooks import Hooks, Receiver, a_receiver, hooks
from tests.support.eventually import eventually


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as found:
        yield found


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with hooks(tmp_path) as found:
        yield found


@contextlib.asynccontextmanager
async def a_name_that_is_looked_up(folder: Path) -> AsyncIterator[tuple[Receiver, Hooks, asyncio.Event]]:
    """A country with a message on its way to a receiver, whose name is being looked up until the event."""
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(_: str, __: int) -> list[str]:
        is_asked.set()
        await may_answer.wait()
        return ["127.0.0.1"]

    slowly = Receivers(lookup=slow, allows_loopback=True)
    async with a_receiver() as receiver, hooks(folder, receivers=slowly) as country:
        await country.share()
        await country.register(receiver.url.replace("127.0.0.1", "localhost"))
        await country.publish()
        await country.delivering.look()
        await is_asked.wait()
        yield receiver, country, may_answer


async def test_a_right_that_ended_while_a_message_waited_is_not_told(country: Hooks, receiver: Receiver) -> None:
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    receiver.answer = 500
    await country.look()
    receiver.got.clear()
    receiver.answer = 204
    await country.revoke()
    await country.after(minutes=1)
    await country.settle()
    assert receiver.told("document.changed") == []
    assert receiver.told("sharing.ended")


async def test_what_waits_for_a_slow_name_server_is_not_sent_after_a_revocation(tmp_path: Path) -> None:
    """A revocation that was answered stands between the decision to try and the first byte of the message."""
    async with a_name_that_is_looked_up(tmp_path) as (receiver, country, may_answer):
        async with asyncio.timeout(5):
            await country.revoke()
        may_answer.set()
        await country.delivering.sent()
        assert receiver.told("document.changed") == []
        await country.settle()
        assert receiver.told("sharing.ended")


async def test_a_revocation_does_not_wait_for_a_receiver(tmp_path: Path, receiver: Receiver) -> None:
    async with hooks(tmp_path, lease_s=0.1) as country:
        never = asyncio.Event()
        receiver.before = never.wait  # type: ignore[assignment]
        await country.share()
        await country.register(receiver.url)
        await country.publish()
        await country.delivering.look()
        await eventually(lambda: bool(receiver.got), saying="the message received")
        async with asyncio.timeout(2):
            await country.revoke()
        never.set()


async def test_a_message_that_waits_for_our_own_decision_is_no_failure_of_its_receiver(
    country: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "DECIDING_S", 0.1)
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    async with country.consent.deciding():
        await country.look()
    assert (receiver.got, (await country.endpoint()).failure) == ([], "")
    await country.after(seconds=10)
    assert len(receiver.got) == 1


async def test_a_revocation_is_answered_after_what_was_decided_before_it_is_on_its_way(country: Hooks) -> None:
    await country.share()
    async with country.consent.deciding():
        revoking = asyncio.create_task(country.revoke())
        await asyncio.sleep(0.3)
        assert not revoking.done()
    async with asyncio.timeout(5):
        await revoking


class Interrupted(Receivers):
    """Lets something happen between the decision on a message and its first byte."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(allows_loopback=True)
        self._meanwhile = meanwhile

    async def send(
        self, url: str, headers: Mapping[str, str], body: bytes, deciding: Deciding, *, whose: str
    ) -> Answered:
        @contextlib.asynccontextmanager
        async def interrupted() -> AsyncIterator[None]:
            async with deciding():
                await self._meanwhile()
                yield

        return await super().send(url, headers, body, interrupted, whose=whose)


async def test_a_revocation_in_the_moment_of_a_message_is_answered_when_that_has_left(
    tmp_path: Path, receiver: Receiver
) -> None:
    revoking: list[asyncio.Task[None]] = []
    were_early: list[bool] = []

    async def revoked_meanwhile() -> None:
        revoking.append(asyncio.create_task(interrupted.revoke()))
        await asyncio.wait(revoking, timeout=0.3)
        were_early.append(revoking[0].done())

    async with hooks(tmp_path, receivers=Interrupted(revoked_meanwhile)) as interrupted:
        await interrupted.share()
        await interrupted.register(receiver.url)
        await interrupted.publish()
        await interrupted.look()
        await revoking[0]
    assert were_early == [False]
    assert len(receiver.told("document.changed")) == 1


async def test_nothing_is_received_about_what_was_revoked_before(tmp_path: Path, receiver: Receiver) -> None:
    async with hooks(tmp_path, lease_s=0.05) as country:
        await country.register(receiver.url)
        for number in range(12):
            await country.share(f"g{number}")
            await country.publish(f"p{number}")
            looking = asyncio.create_task(country.settle())
            await asyncio.sleep(number * 0.004)
            await country.revoke(f"g{number}")
            for _ in range(20):  # what was written before the revocation was answered arrives
                await asyncio.sleep(0)
            before = len(receiver.got)
            await looking
            assert "document.changed" not in {message["type"] for message in receiver.messages[before:]}
            await country.settle()


async def test_a_process_that_is_not_in_charge_sends_nothing(tmp_path: Path, receiver: Receiver) -> None:
    async with hooks(tmp_path, is_in_charge=False) as country:
        await country.register(receiver.url)
        await country.share()
        await country.look()
        assert receiver.got == []


async def test_a_process_that_lost_the_charge_sends_nothing(tmp_path: Path, receiver: Receiver) -> None:
    async with hooks(tmp_path) as country:
        await country.share()
        await country.register(receiver.url)
        await country.publish()
        async with hooks(tmp_path) as other:
            await country.look()
            assert receiver.got == []
            await other.settle()
        assert len(receiver.got) == 1


async def test_a_process_that_loses_the_charge_while_it_connects_sends_nothing(tmp_path: Path) -> None:
    async with a_name_that_is_looked_up(tmp_path) as (receiver, country, may_answer), hooks(tmp_path):
        may_answer.set()
        await country.delivering.sent()
        assert receiver.got == []
