"""Who reads slowly has next to nothing more coming once a revocation is in force."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from contracts.access import ConsentAnswer
from gateway.connections import MOST_BUFFERED_BYTES, MOST_UNSENT_BYTES
from gateway.replica import MOST_AT_ONCE, Replica, boot_clock
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_following_gateway

SIZE = 3 * 1024 * 1024
BEGINNING = 2_000
OWN_BUFFER = 64 * 1024
"""What the reader's own machine may hold of what was sent before."""

STILL_COMES = 2 * MOST_UNSENT_BYTES + MOST_BUFFERED_BYTES + OWN_BUFFER
MARKS = [(b"star-factory", b"f1"), (b"star-kind", b"assessment"), (b"star-cycle", b"1"), (b"star-document", b"r1")]
BODIES = {
    "application/json": b'{"id":"r1","text":"' + b"y" * SIZE + b'"}',
    "application/pdf": b"y" * SIZE,
}


async def begun(door: Door) -> socket.socket:
    """A request of a buyer who has read the beginning of the answer and hardly has room for more."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(0)
    address = urlsplit(door.url)
    asked = f"GET /api/v1/reports/r1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {await door.token('buyer')}\r\n\r\n"
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, (address.hostname, address.port))
    await loop.sock_sendall(reader, asked.encode())
    assert (await loop.sock_recv(reader, BEGINNING)).startswith(b"HTTP/1.1 200 ")
    return reader


async def rest(reader: socket.socket) -> int:
    """How many bytes still come before the connection ends, or the rest of a whole answer."""
    size = 0
    async with asyncio.timeout(10):
        try:
            while size < SIZE - BEGINNING and (got := await asyncio.get_running_loop().sock_recv(reader, 65536)):
                size += len(got)
        except ConnectionError:
            pass
        finally:
            reader.close()
    return size


@pytest.fixture(params=["inprocess", "http"])
async def door(request: pytest.FixtureRequest, tmp_path: Path, consent: FedConsent, service: Scripted) -> Any:
    async with a_following_gateway(request.param, service, consent, tmp_path) as found:
        yield found


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1")


@pytest.fixture(params=BODIES)
def service(request: pytest.FixtureRequest) -> Scripted:
    kind: str = request.param
    return Scripted(headers=[(b"content-type", kind.encode()), *MARKS], body=BODIES[kind])


async def test_next_to_nothing_comes_once_a_revocation_is_in_force(door: Door, consent: FedConsent) -> None:
    reader = await begun(door)
    consent.revoke("g1", "f1")
    await consent.heard()
    assert await rest(reader) <= STILL_COMES


async def test_a_slow_reader_gets_all_of_what_it_may_see(door: Door, consent: FedConsent) -> None:
    reader = await begun(door)
    await consent.heard()
    assert await rest(reader) >= SIZE - BEGINNING


@pytest.fixture
async def sent(consent: FedConsent) -> AsyncIterator[Any]:
    """Sends one body under a guard; gives back the bodies of the messages that the server got, and their ``more``."""
    replica = Replica(today=lambda: date(2026, 1, 1))
    answer = ConsentAnswer(entries=tuple(consent.entries), epoch=len(consent.entries), lease_s=60)
    replica.take(answer, sent_at=boot_clock())
    guard = replica.guard(replica.decide("b1"))
    guard.is_on_record = True
    messages: list[tuple[int, bool]] = []

    async def server(message: Any) -> None:
        messages.append((len(message["body"]), message["more_body"]))

    async def send(size: int, *, more: bool) -> list[tuple[int, bool]]:
        messages.clear()
        await guard.send(server, {"type": "http.response.body", "body": b"x" * size, "more_body": more})
        return list(messages)

    yield send
    guard.release()


@pytest.mark.parametrize("more", [True, False])
async def test_only_a_long_body_is_sent_in_pieces(sent: Any, *, more: bool) -> None:
    for size in (0, 1, MOST_AT_ONCE):
        assert await sent(size, more=more) == [(size, more)]
    assert await sent(2 * MOST_AT_ONCE + 1, more=more) == [
        (MOST_AT_ONCE, True),
        (MOST_AT_ONCE, True),
        (1, True),
        (0, more),
    ]
