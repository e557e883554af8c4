"""The exchange and the queues of the bus on RabbitMQ; everything is durable and replicated where there is a cluster.

A listener has three quorum queues. ``<listener>`` is bound to ``star.events`` by exact types. A message to be tried
again is copied to ``<listener>.retry`` with the delay as its own expiration, confirmed, and only then acknowledged;
expiry brings it back. So the delay may change without redeclaring a queue, and the count of attempts does not depend
on how a broker version keeps ``x-death``. ``<listener>.parked`` takes what a verdict puts aside, and from the broker
itself what was handed out too often without an answer, because handling it ends the process.
"""

from collections.abc import Collection
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange
from faststream.rabbit import QueueType, RabbitQueue

EVENTS = "star.events"

_HAND_OUTS = 20
# A listing takes messages and gives them back, which counts; from 4.0 on the default limit of 20 would drop them.
_LISTINGS = 1_000_000


def retry_queue(listener: str) -> str:
    """The queue in which a listener's messages wait for their next attempt."""
    return f"{listener}.retry"


def parked_queue(listener: str) -> str:
    """The queue of what a listener put aside."""
    return f"{listener}.parked"


def work_queue(listener: str) -> RabbitQueue:
    """The queue a listener consumes, as FastStream declares it."""
    return RabbitQueue(
        listener,
        queue_type=QueueType.QUORUM,
        arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": parked_queue(listener),
            # Confirmed by the next queue before it leaves this one.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": _HAND_OUTS,
        },
    )


async def declare_events(channel: AbstractChannel) -> AbstractExchange:
    """Declare the one exchange that every event is published to, with its type as the routing key."""
    return await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)


async def declare_listener(
    channel: AbstractChannel, events: AbstractExchange, listener: str, types: Collection[str]
) -> None:
    """Declare a listener's three queues and bind its work queue to the types."""
    parked: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": _LISTINGS}
    await channel.declare_queue(parked_queue(listener), durable=True, arguments=parked)
    retry: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": listener,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    await channel.declare_queue(retry_queue(listener), durable=True, arguments=retry)
    work = await channel.declare_queue(listener, durable=True, arguments=work_queue(listener).arguments)
    for event_type in sorted(types):
        await work.bind(events, event_type)
