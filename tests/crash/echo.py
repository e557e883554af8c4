"""A bus that says things twice: every so often an event is published once more, as a broker may at any time."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Final

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

QUEUE: Final = "echo"
SHARE: Final = 0.2
LATEST_S: Final = 3.0
_MARK: Final = "echoed"


class Echo:
    """Repeats a share of all events on RabbitMQ, each once and a little later."""

    def __init__(self, amqp_url: str, *, seed: int) -> None:
        self._url = amqp_url
        self._chance = random.Random(f"{seed} echo")

    @contextlib.asynccontextmanager
    async def sounding(self) -> AsyncIterator[None]:
        """Repeat in the background; an outage of RabbitMQ only interrupts it."""
        task = asyncio.create_task(self._sound())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _sound(self) -> None:
        while True:
            with contextlib.suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                await self._listen()
            await asyncio.sleep(1)

    async def _listen(self) -> None:
        async with await aio_pika.connect(self._url, timeout=5) as connection, connection.channel() as channel:
            events = await channel.get_exchange("star.events")
            queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(events, "#")
            while True:
                message = await queue.get(no_ack=True, fail=False)
                if message is None:
                    await asyncio.sleep(self._chance.uniform(0.05, LATEST_S))
                elif _MARK not in message.headers and self._chance.random() < SHARE:
                    await events.publish(_again(message), message.routing_key or "")


def _again(message: AbstractIncomingMessage) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        headers={**message.headers, _MARK: "1"},
        content_type=message.content_type,
        message_id=message.message_id,
        type=message.type,
        delivery_mode=message.delivery_mode,
    )
