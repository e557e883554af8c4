"""A connection whose other side dawdles or sends without end is let go of; a slow one that goes on is served."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from services.runtime import connections
from services.runtime.connections import MOST_HEAD_BYTES, CarefulHttp
from tests.support.eventually import eventually

CHUNK = b"x" * 65536
GONE: list[str] = []
"""The paths of the requests that heard that their caller has left."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, then answers: ``/long`` with 60 MB, ``/waits`` when its caller left, anything else briefly.

    ``/begins`` begins, and does not go on before its caller left; ``/refused`` does not read the body.
    """
    if scope["path"] == "/refused":
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"refused", "more_body": False})
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/waits":
        assert (await receive())["type"] == "http.disconnect"
        GONE.append(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/begins":
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await receive()
    if scope["path"] == "/long":
        for _ in range(960):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b"done", "more_body": False})


@pytest.fixture
async def address(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, int]]:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    monkeypatch.setattr(connections, "STALLED_S", 0.4)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, http=CarefulHttp, timeout_keep_alive=2)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    running = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    yield listener.getsockname()
    server.should_exit = server.force_exit = True
    await running
    listener.close()


@contextlib.asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address, limit=1024)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ended(reader: asyncio.StreamReader, *, within_s: float = 5) -> bytes:
    """Whatever comes until the other side ends the connection."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(within_s):
            return await reader.read()
    return b""


async def test_a_connection_that_says_nothing_is_ended(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, _):
        assert await ended(reader) == b""


async def test_a_head_that_does_not_end_in_time_is_not_waited_for(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")

        async def drip() -> None:
            for _ in range(100):
                await asyncio.sleep(0.05)
                writer.write(b"a: b\r\n")

        dripping = asyncio.create_task(drip())
        assert await ended(reader, within_s=2) == b""
        dripping.cancel()


async def test_empty_lines_keep_no_connection_open(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"done" in await reader.readuntil(b"0\r\n\r\n")

        async def drip() -> None:
            for _ in range(100):
                writer.write(b"\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await ended(reader, within_s=2) == b""
        dripping.cancel()


async def test_a_head_that_is_too_long_is_refused_before_it_ends(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nlong: ")
        for _ in range(MOST_HEAD_BYTES // 8192 + 4):
            writer.write(b"x" * 8192)
            await asyncio.sleep(0)
        assert (await ended(reader)).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("says", [b"connection: close\r\n", b""], ids=["closing", "keeping"])
async def test_a_refusal_arrives_although_the_body_is_still_being_sent(address: tuple[str, int], says: bytes) -> None:
    async with connected(address) as (reader, writer):
        writer.write(
            b"POST /refused HTTP/1.1\r\nhost: x\r\n" + says + b"content-length: %d\r\n\r\n" % (64 * len(CHUNK))
        )
        for _ in range(64):
            writer.write(CHUNK)
            await writer.drain()
            await asyncio.sleep(0.001)
        assert b"refused" in await reader.readuntil(b"0\r\n\r\n")


async def test_a_body_without_end_is_not_listened_to_for_long(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"POST /refused HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000000000\r\n\r\n")

        async def flood() -> None:
            while True:
                writer.write(CHUNK)
                await writer.drain()
                await asyncio.sleep(0.01)

        flooding = asyncio.create_task(flood())
        assert b"refused" in await ended(reader)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flooding, 2)


async def test_a_head_that_is_too_long_never_stands_in_the_middle_of_an_answer(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET /begins HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"begun")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nlong: " + b"x" * MOST_HEAD_BYTES)
        rest = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1024):
                rest += chunk
        assert rest == b"\r\n"  # which ends the piece that had begun


async def test_a_body_may_take_longer_than_a_head(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        assert b"done" in await reader.readuntil(b"0\r\n\r\n")


async def test_a_request_that_is_sent_ahead_is_answered_with_its_slow_body(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nPOST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        for _ in range(2):
            assert b"done" in await reader.readuntil(b"0\r\n\r\n")


async def test_a_reader_that_takes_nothing_is_let_go_of(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(1.5)
        assert len(await ended(reader)) < 60_000_000


async def test_a_slow_reader_that_goes_on_gets_all_of_it(address: tuple[str, int]) -> None:
    async with connected(address) as (reader, writer):
        writer.write(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
        size = 0
        for _ in range(12):
            await asyncio.sleep(0.1)
            size += len(await reader.readexactly(1_000_000))
        last = b""
        while chunk := await reader.read(1_000_000):
            last = (last + chunk)[-20:]
            if last.endswith(b"0\r\n\r\n"):
                break
        assert b"done" in last


async def test_an_answer_hears_that_its_caller_left_also_when_more_was_sent_ahead(address: tuple[str, int]) -> None:
    GONE.clear()
    async with connected(address) as (_, writer):
        writer.write(b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(0.2)
        assert not GONE
    await eventually(lambda: GONE == ["/waits"], within_s=3, saying="the answer heard it")
