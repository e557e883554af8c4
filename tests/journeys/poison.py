"""Messages that no service sent, put on the bus of either world by hand."""

import aio_pika
import msgspec
from uuid_utils.compat import uuid7

from contracts.catalogue import CATALOGUE
from deploy.embedded import queue_of
from services.runtime.bus import Ack, Delivery, Message, RetryPolicy, Verdict
from services.runtime.bus.amqp import outgoing
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from tests.journeys.world import DeployedWorld, EmbeddedWorld, World


def a_message(event_type: str, body: bytes, *, traceparent: str = "") -> Message:
    """A message as its emitter would send it, about a subject of its own, with any body."""
    return Message(
        id=str(uuid7()),
        type=event_type,
        source=f"JO/{event_type.partition('.')[0]}",
        subject=str(uuid7()),
        sequence=1,
        time="2026-01-05T08:00:00+00:00",
        traceparent=traceparent,
        body=msgspec.Raw(body),
    )


async def publish_by_hand(world: World, message: Message) -> None:
    """Put a message where the emitter's relay would have put it."""
    if isinstance(world, DeployedWorld):
        async with await aio_pika.connect(world.deployment.rabbitmq.url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange("star.events")
            await exchange.publish(outgoing(message), message.type)
    elif isinstance(world, EmbeddedWorld):
        await _put_into_the_data_folder(world, message)


async def _put_into_the_data_folder(world: EmbeddedWorld, message: Message) -> None:
    """Publish into the queue of a running process from beside it, delivering nothing here."""
    queue = queue_of(world.data)
    bus = InProcessBus(queue.collection("messages", INDEXES), RetryPolicy())
    for listener in CATALOGUE[message.type].listeners:
        bus.subscribe(listener, [message.type], _never)
    # Not start(): that would deliver here what the running process is to deliver.
    bus._serving = True
    await queue.start()
    try:
        assert await bus.publish([message]) == {message.id}
    finally:
        await queue.stop()


async def _never(_: Delivery) -> Verdict:
    return Ack()
