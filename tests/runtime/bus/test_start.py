"""A start whose broker falls silent comes to an end, so that whoever watches over the process can start it again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest
from yarl import URL

from services.runtime.bus import RetryPolicy
from services.runtime.bus.rabbit import RabbitBus
from tests.runtime.bus.stage import Remembering, a_name

pytestmark = pytest.mark.servers


@contextlib.asynccontextmanager
async def silent_from(is_last: Callable[[bytes], bool], url: str) -> AsyncIterator[str]:
    """The address of a broker that answers nothing more, to anybody, once it was sent such a piece."""
    broker, silence = URL(url), asyncio.Event()
    open_ends: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                if is_request and is_last(piece):
                    silence.set()
                if not silence.is_set():
                    writer.write(piece)
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(broker.host, broker.port)
        open_ends.extend((writer, requests))
        await asyncio.gather(carry(reader, requests, is_request=True), carry(answers, writer, is_request=False))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield str(broker.with_host("127.0.0.1").with_port(server.sockets[0].getsockname()[1]))
    finally:
        server.close()
        for end in open_ends:
            end.close()


@pytest.mark.parametrize("last", [b"star.events", b".retry"])
async def test_a_start_whose_broker_falls_silent_ends(amqp_url: str, last: bytes) -> None:
    async with silent_from(lambda piece: last in piece, amqp_url) as url:
        bus = RabbitBus(url, service="test", policy=RetryPolicy(), grace_s=0.5, start_timeout_s=1)
        bus.subscribe(a_name("audit"), [a_name("visit.opened")], Remembering())
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bus.start(), 15)
        assert time.monotonic() - began < 8
