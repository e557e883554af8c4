"""One look into a listener's parked queue on RabbitMQ: what is taken and not acknowledged goes back in its order."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from services.runtime.bus import topology

_PUT_BACK_S = 2.0
_POLL_S = 0.01


class Parking:
    """The parked queue of one listener; ``count`` is how many lay in it when it was opened."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self.count = queue.declaration_result.message_count or 0
        self._channel = channel
        self._queue = queue
        self._taken: list[AbstractIncomingMessage] = []

    async def messages(self, *, at_most: int | None = None) -> AsyncIterator[AbstractIncomingMessage]:
        """What lay in the queue when it was opened, each to be acknowledged by who moved it.

        Not until empty: what is replayed and fails again at once would come round for ever.
        """
        for _ in range(min(self.count, at_most or self.count)):
            raw = await self._queue.get(fail=False)
            if raw is None:
                return
            self._taken.append(raw)
            yield raw

    async def put_back(self) -> None:
        """Return what was not acknowledged, and wait until the queue holds it again.

        Closing the channel would return it too, but RabbitMQ 3.10 sorts it by its number as text: 1, 10, 2. And
        who looks in before it is back would see, and make, another order.
        """
        if all(raw.processed for raw in self._taken):
            return
        await (await self._channel.get_underlay_channel()).basic_nack(0, multiple=True, requeue=True)
        expected = self.count - sum(raw.processed for raw in self._taken)
        deadline = time.monotonic() + _PUT_BACK_S
        while await self._ready() < expected and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(_POLL_S)

    async def _ready(self) -> int:
        queue = await self._channel.declare_queue(self._queue.name, passive=True)
        return queue.declaration_result.message_count or 0


@asynccontextmanager
async def opened(url: str, listener: str, *, timeout_s: float) -> AsyncIterator[Parking]:
    """Look into a listener's parked queue on a connection of its own; raises ``ChannelNotFoundEntity`` without one."""
    connection = await aio_pika.connect(url, timeout=timeout_s)
    async with connection, connection.channel() as channel:
        parking = Parking(channel, await channel.declare_queue(topology.parked_queue(listener), passive=True))
        yield parking
        await parking.put_back()
