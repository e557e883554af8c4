"""The inside of a country: every aggregate of every service read through the documents port, files, queues."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aio_pika
import aiohttp

from contracts.catalogue import SERVICES, listeners
from deploy.embedded import MAKERS, ports_of, queue_of
from deploy.messages import bus_of
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents import Collection, Document
from services.runtime.files import Files
from services.runtime.service import Ports, deployed_ports, retry_policy
from services.runtime.settings import Environment, Settings

Documents = Mapping[str, list[Document]]
"""The documents of the aggregates of one service, by collection."""

OBSERVER = "observer"


class Stores:
    """The databases and files of a country, opened beside its processes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._ports = {name: _ports(name, settings) for name in SERVICES}
        made = {name: MAKERS[name](settings, ports) for name, ports in self._ports.items()}
        self._watched: dict[str, tuple[Collection, ...]] = {n: s.relay.watched for n, s in made.items()}

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["Stores"]:
        """Connect, and let go at the end."""
        async with contextlib.AsyncExitStack() as stack:
            for ports in self._ports.values():
                await ports.documents.start()
                stack.push_async_callback(ports.documents.stop)
                await ports.files.start()
                stack.push_async_callback(ports.files.stop)
            yield self

    async def all(self, service: str) -> Documents:
        """Every aggregate of a service."""
        return {collection.name: await _all(collection) for collection in self._watched[service]}

    async def waiting(self) -> dict[str, int]:
        """How many aggregates of each service hold unpublished messages; services that hold none are left out."""
        found = {
            name: sum([len(await c.holding_pending(limit=1000)) for c in watched])
            for name, watched in self._watched.items()
        }
        return {name: count for name, count in found.items() if count}

    async def queued(self) -> dict[str, int]:
        """How many messages the queues hold, by queue; empty ones are left out."""
        if self.settings.environment is Environment.DEPLOYED:
            return await _queued(self.settings.amqp_url)
        documents = queue_of(self.settings.data_folder)
        messages = documents.collection("messages", INDEXES)
        await documents.start()
        try:
            count = await messages.count({"state": "queued"})
        finally:
            await documents.stop()
        return {"bus": count} if count else {}

    async def parked(self) -> list[str]:
        """What was put aside, with the reasons."""
        async with bus_of(self.settings) as bus:
            found = [parked for name in listeners() for parked in await bus.parked(name)]
        return [f"{p.listener} {p.message.type} after {p.attempts}: {p.reason}" for p in found]

    def files(self, service: str) -> Files:
        """The files of a service."""
        return self._ports[service].files


def _ports(name: str, settings: Settings) -> Ports:
    if settings.environment is Environment.DEPLOYED:
        return deployed_ports(name, settings)
    queue = queue_of(settings.data_folder)
    return ports_of(name, settings, InProcessBus(queue.collection("messages", INDEXES), retry_policy(settings)))


async def _all(collection: Collection) -> list[Document]:
    found: list[Document] = []
    cursor = None
    while True:
        page = await collection.find(limit=200, after=cursor)
        found += page.documents
        if (cursor := page.next_cursor) is None:
            return found


async def _queued(amqp_url: str) -> dict[str, int]:
    """What is ready in the queues; what is handed out and not acknowledged shows in what it does."""
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        counts: dict[str, int] = {}
        for name in listeners():
            for queue_name in (name, f"{name}.retry"):
                queue = await channel.declare_queue(queue_name, passive=True)
                if queue.declaration_result.message_count:
                    counts[queue_name] = queue.declaration_result.message_count
        return counts


class Observer:
    """A queue of its own that hears everything that is ever published on RabbitMQ."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url

    async def bind(self) -> None:
        """Begin to hear."""
        async with await aio_pika.connect(self._url) as connection, connection.channel() as channel:
            queue = await channel.declare_queue(OBSERVER, durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind("star.events", "#")

    async def heard(self) -> list[dict[str, Any]]:
        """The attributes of everything that was published since, repetitions included; the queue is empty then."""
        found: list[dict[str, Any]] = []
        async with await aio_pika.connect(self._url) as connection, connection.channel() as channel:
            queue = await channel.declare_queue(OBSERVER, passive=True)
            while (message := await queue.get(no_ack=True, fail=False)) is not None:
                found.append({name.removeprefix("cloudEvents:"): value for name, value in message.headers.items()})
        return found


async def redelivered(management_url: str) -> int:
    """How often RabbitMQ handed a message out again, all queues together."""
    async with aiohttp.ClientSession() as session, session.get(f"{management_url}/api/queues") as response:
        queues = await response.json()
    return sum(queue.get("message_stats", {}).get("redeliver", 0) for queue in queues)
