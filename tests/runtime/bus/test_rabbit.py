"""What only RabbitMQ can do to the bus: outages, alarms, strangers on the queue, and handlers that end the process."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractRobustChannel

from services.runtime.bus import Ack, Bus, Park, Parked, Retry, RetryPolicy, parking
from services.runtime.bus.rabbit import RabbitBus
from tests.runtime.bus.stage import OnRabbit, Remembering, Stuck, a_message, a_name
from tests.servers import RabbitMQ
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

CLOUD_EVENT = {
    "cloudEvents:specversion": "1.0",
    "cloudEvents:id": "event-1",
    "cloudEvents:type": "visit.opened",
    "cloudEvents:source": "aa/assessment",
    "cloudEvents:subject": "visit-1",
    "cloudEvents:sequence": "1",
    "cloudEvents:time": "2026-11-23T10:00:00Z",
}


@pytest.fixture
def node(rabbitmq_server: RabbitMQ) -> Iterator[RabbitMQ]:
    if rabbitmq_server.external:
        pytest.skip("the broker is somebody's deployment and cannot be stopped")
    yield rabbitmq_server
    rabbitmq_server.start()


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"\x00\xff\xfe poison", {}, "Not a CloudEvent 1.0 in binary mode."),
        (b"{}", {**CLOUD_EVENT, "cloudEvents:subject": "", "cloudEvents:id": 7}, "CloudEvent without id, subject."),
        (b"{}", {**CLOUD_EVENT, "cloudEvents:sequence": "-1"}, "CloudEvent without a sequence number from 1."),
        (b'{"a": nope}', CLOUD_EVENT, "The body is not JSON."),
        (b'"\xff"', CLOUD_EVENT, "The body is not JSON."),
    ],
)
async def test_what_is_no_cloud_event_is_parked_unchanged_and_the_next_message_flows(
    on_rabbit: OnRabbit, body: bytes, headers: dict[str, str], reason: str
) -> None:
    opened, listener, seen = a_name("visit.opened"), a_name("audit"), Remembering()
    async with on_rabbit.running((listener, [opened], seen)) as bus:
        poison = aio_pika.Message(body, headers=dict(headers), content_type="application/json", reply_to="elsewhere")
        await _put(on_rabbit.url, listener, poison)
        await bus.publish([a_message(opened)])
        await eventually(lambda: seen.ids, saying="the message behind the poison")
        await eventually(lambda: bus.parked(listener), saying="parked poison")
        (parked,) = await bus.parked(listener)
        assert (parked.reason, parked.attempts) == (reason, 1)
        assert parked.message.id
        assert (await _take(on_rabbit.url, f"{listener}.parked")).body == body
    assert len(seen.ids) == 1


async def test_poison_can_be_named_replayed_and_is_parked_again(on_rabbit: OnRabbit) -> None:
    listener = a_name("audit")
    async with on_rabbit.running((listener, [a_name("visit.opened")], Remembering())) as bus:
        await _put(on_rabbit.url, listener, aio_pika.Message(b"poison"))
        (parked,) = await eventually(lambda: bus.parked(listener), saying="parked poison")
        assert await bus.replay(listener, message_id=parked.message.id) == 1

        async def parked_anew() -> bool:
            return [p.parked_at > parked.parked_at for p in await bus.parked(listener)] == [True]

        await eventually(parked_anew, saying="parked again")


async def test_a_message_that_is_handed_out_too_often_is_parked_by_the_broker(on_rabbit: OnRabbit) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    async with on_rabbit.running((listener, [opened], Remembering())):
        pass
    async with on_rabbit.running() as bus:
        sent = a_message(opened)
        await bus.publish([sent])
        hand_outs = 0

        async def parked_in_the_end() -> list[Parked]:
            nonlocal hand_outs
            hand_outs += await _take_and_vanish(on_rabbit.url, listener)
            return await bus.parked(listener)

        (parked,) = await eventually(parked_in_the_end, 30, saying="parking by the broker")
        assert hand_outs == 21
        assert parked.message == sent
        assert "delivery_limit" in parked.reason
        assert parked.parked_at.startswith("20")
    seen = Remembering()
    async with on_rabbit.running((listener, [opened], seen)) as bus:
        assert await bus.replay(listener) == 1
        await eventually(lambda: seen.ids == [sent.id], saying="the replay")
        assert await bus.parked(listener) == []


async def test_a_look_into_the_parked_queue_leaves_its_order_alone(on_rabbit: OnRabbit) -> None:
    listener = a_name("audit")
    async with on_rabbit.running((listener, [a_name("visit.opened")], Remembering())):
        for n in range(12):
            await _put(on_rabbit.url, f"{listener}.parked", aio_pika.Message(b"%d" % n))
        looks = []
        for _ in range(3):
            async with parking.opened(on_rabbit.url, listener, timeout_s=5) as queue:
                looks.append([int(raw.body) async for raw in queue.messages()])
    assert looks == [list(range(12))] * 3


async def test_another_delay_and_another_number_of_attempts_need_no_new_queues(on_rabbit: OnRabbit) -> None:
    opened, listener, seen = a_name("visit.opened"), a_name("audit"), Remembering(lambda _: Retry("busy"))
    async with on_rabbit.running((listener, [opened], seen), policy=RetryPolicy(attempts=9, delay_ms=200)) as bus:
        await bus.publish([a_message(opened)])
        await eventually(lambda: seen.ids, saying="the first attempt")
    async with on_rabbit.running((listener, [opened], seen), policy=RetryPolicy(attempts=2, delay_ms=1)) as bus:
        (parked,) = await eventually(lambda: bus.parked(listener), saying="parking under the new policy")
    assert parked.attempts >= 2


async def test_the_queues_speak_cloud_events(on_rabbit: OnRabbit) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    async with on_rabbit.running((listener, [opened], Remembering())):
        pass
    async with on_rabbit.running() as bus:
        sent = a_message(opened, sequence=7, subject="โรงงาน")
        await bus.publish([sent])
    raw = await _take(on_rabbit.url, listener)
    assert {name: value for name, value in raw.headers.items() if not name.startswith("x-")} == {
        **CLOUD_EVENT,
        "cloudEvents:id": sent.id,
        "cloudEvents:type": opened,
        "cloudEvents:subject": "โรงงาน",
        "cloudEvents:sequence": "7",
        "traceparent": sent.traceparent,
    }
    assert (raw.message_id, raw.type, raw.routing_key, raw.content_type) == (
        sent.id,
        opened,
        opened,
        "application/json",
    )
    assert raw.delivery_mode == aio_pika.DeliveryMode.PERSISTENT


async def test_a_type_that_is_a_pattern_is_refused(on_rabbit: OnRabbit) -> None:
    bus = RabbitBus(on_rabbit.url, service="test", policy=RetryPolicy())
    with pytest.raises(ValueError, match="exact names"):
        bus.subscribe("audit", ["visit.#"], Remembering())


async def test_cut_connections_heal_on_both_sides(on_rabbit: OnRabbit) -> None:
    opened, seen = a_name("visit.opened"), Remembering()
    async with on_rabbit.running((a_name("audit"), [opened], seen)) as bus:
        for connection in _connections(bus):
            await connection.close(ConnectionResetError("cut"))
        sent = a_message(opened)

        async def confirmed() -> bool:
            return await bus.publish([sent]) == {sent.id}

        await eventually(confirmed, 20, saying="publishing after the cut")
        await eventually(lambda: sent.id in seen.ids, 20, saying="consuming after the cut")
        await eventually(lambda: _answers(bus), 20, saying="the ping after the cut")


async def test_an_outage_confirms_nothing_and_loses_nothing(on_rabbit: OnRabbit, node: RabbitMQ) -> None:
    opened, listener, seen = a_name("visit.opened"), a_name("audit"), Remembering()
    kept, unkept = a_message(opened, sequence=1), a_message(opened, sequence=2)
    async with on_rabbit.running((listener, [opened], Stuck())) as bus:
        assert await bus.publish([kept]) == {kept.id}
    async with on_rabbit.running((listener, [opened], seen)) as bus:
        await eventually(lambda: seen.ids == [kept.id], saying="what was kept")
        await asyncio.to_thread(node.stop)
        began = time.monotonic()
        assert await bus.publish([unkept]) == set()
        assert time.monotonic() - began < 7
        assert not await _answers(bus)
        await asyncio.to_thread(node.start)

        async def confirmed() -> bool:
            return await bus.publish([unkept]) == {unkept.id}

        await eventually(confirmed, 20, saying="publishing after the outage")
        await eventually(lambda: unkept.id in seen.ids, 20, saying="consuming after the outage")
        await eventually(lambda: _answers(bus), 20, saying="the ping after the outage")


async def test_stopping_during_an_outage_takes_no_longer_than_its_grace(on_rabbit: OnRabbit, node: RabbitMQ) -> None:
    stuck, opened = Stuck(), a_name("visit.opened")
    async with on_rabbit.running((a_name("audit"), [opened], stuck)) as bus:
        await bus.publish([a_message(opened)])
        await asyncio.wait_for(stuck.began.wait(), 10)
        await asyncio.to_thread(node.kill)
        began = time.monotonic()
    assert time.monotonic() - began < 5


async def test_starting_without_a_broker_fails_at_once(on_rabbit: OnRabbit, node: RabbitMQ) -> None:
    await asyncio.to_thread(node.stop)
    with pytest.raises(ConnectionError, match="Connect"):
        async with on_rabbit.running():
            pass


async def test_a_frozen_broker_does_not_hang_publishing_or_the_ping(on_rabbit: OnRabbit, node: RabbitMQ) -> None:
    opened, seen = a_name("visit.opened"), Remembering()
    async with on_rabbit.running((a_name("audit"), [opened], seen)) as bus:
        sent = a_message(opened)
        node.pause()
        try:
            began = time.monotonic()
            assert await bus.publish([sent]) == set()
            assert not await _answers(bus)
            assert time.monotonic() - began < 12
        finally:
            node.resume()
        await eventually(lambda: sent.id in seen.ids, 20, saying="what the broker found when it woke")


async def test_a_memory_alarm_hangs_neither_publishing_nor_consuming(on_rabbit: OnRabbit, node: RabbitMQ) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    seen = Remembering(lambda delivery: Park("no") if delivery.message.sequence == 1 else Ack())
    async with on_rabbit.running((listener, [opened], Stuck())) as bus:
        backlog = [a_message(opened, sequence=n, subject=f"visit-{n}") for n in range(1, 6)]
        assert len(await bus.publish(backlog)) == 5
    with _memory_alarm(node):
        async with on_rabbit.running((listener, [opened], seen)) as bus:
            late = a_message(opened, sequence=9)
            began = time.monotonic()
            assert await bus.publish([late]) == set()
            assert time.monotonic() - began < 7
            await eventually(lambda: len(set(seen.ids)) >= 5, saying="the backlog, consumed during the alarm")
            _set_watermark(node, "0.6")

            async def confirmed() -> bool:
                return await bus.publish([late]) == {late.id}

            await eventually(confirmed, 20, saying="publishing after the alarm")
            await eventually(lambda: bus.parked(listener), 20, saying="the parking that was held back")
            await eventually(lambda: late.id in seen.ids, 20, saying="the late message")


@contextmanager
def _memory_alarm(node: RabbitMQ) -> Iterator[None]:
    _set_watermark(node, "0.0001")
    try:
        yield
    finally:
        _set_watermark(node, "0.6")


def _set_watermark(node: RabbitMQ, fraction: str) -> None:
    environment = {**os.environ, **node.environment()}
    command = ["rabbitmqctl", "-n", environment["RABBITMQ_NODENAME"], "set_vm_memory_high_watermark", fraction]
    program = "/usr/lib/rabbitmq/bin/rabbitmqctl"
    subprocess.run([program, *command[1:]], env=environment, check=True, capture_output=True, timeout=60)


def _connections(bus: Bus) -> list[aio_pika.abc.UnderlayConnection]:
    assert isinstance(bus, RabbitBus)
    probes: list[AbstractRobustChannel] = bus._probes
    transports = [probe._connection.transport for probe in probes]  # type: ignore[attr-defined]
    assert len(transports) == 2
    return [transport.connection for transport in transports]


async def _answers(bus: Bus) -> bool:
    try:
        await bus.ping()
    except Exception:  # noqa: BLE001 - any failure is the answer
        return False
    return True


async def _put(url: str, queue: str, message: aio_pika.Message) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        await channel.default_exchange.publish(message, queue)


async def _take(url: str, queue: str) -> aio_pika.abc.AbstractIncomingMessage:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        raw = await (await channel.get_queue(queue)).get()
        await raw.ack()
        return raw


async def _take_and_vanish(url: str, queue: str) -> bool:
    """Do what a process does that a message ends: take it and never answer; tell whether there was one."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        return await (await channel.get_queue(queue)).get(fail=False) is not None
