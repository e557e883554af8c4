"""Text leaves compressed when the caller prefers it; what it says and how it is validated stay the same."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.squeezing import prefers_gzip
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_gateway, everywhere, upstream_to

LONG = b'{"text": "' + b"compliance " * 500 + b'"}'


@pytest.fixture
def service() -> Scripted:
    return Scripted(body=LONG)


@pytest.fixture(params=["inprocess", "http"])
async def door(request: pytest.FixtureRequest, service: Scripted, tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to(request.param, service) as upstream,
        a_gateway(tmp_path, everywhere(upstream), FedConsent()) as door,
        aiohttp.ClientSession(auto_decompress=False) as http,
    ):
        await door.token("admin")
        door.http, plain = http, door.http
        yield door
        door.http = plain


async def test_long_text_is_compressed(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"accept-encoding": "gzip, br"})
    assert got.headers["content-encoding"] == "gzip"
    assert int(got.headers["content-length"]) == len(got.body) < len(LONG) / 10
    assert gzip.decompress(got.body) == LONG


async def test_whoever_does_not_ask_gets_the_bytes_as_they_are(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in got.headers
    assert got.body == LONG


async def test_a_compressed_answer_has_a_weak_validator_that_holds_for_both_forms(door: Door) -> None:
    wanted = {"accept-encoding": "gzip"}
    plain = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"accept-encoding": "identity"})
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers=wanted)
    assert got.headers["etag"] == f"W/{plain.headers['etag']}"
    again = {**wanted, "if-none-match": got.headers["etag"]}
    assert (await door.ask("GET", "/api/v1/reports/r1", "admin", headers=again)).status == 304


async def test_short_text_is_not_worth_it(door: Door, service: Scripted) -> None:
    service.body = b"{}"
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in got.headers, got.body) == (False, b"{}")


@pytest.mark.parametrize("media_type", [b"application/pdf", b"image/jpeg", b"application/zip"])
async def test_what_is_compressed_already_is_left_alone(door: Door, service: Scripted, media_type: bytes) -> None:
    service.headers = [(b"content-type", media_type)]
    got = await door.ask("GET", "/api/v1/reports/r1/file", "admin", headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in got.headers, got.body) == (False, LONG)


async def test_a_part_of_a_document_is_left_alone(door: Door, service: Scripted) -> None:
    service.status = 206
    got = await door.ask("GET", "/api/v1/reports/r1/file", "admin", headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in got.headers, got.body) == (False, LONG)


async def test_a_stream_is_compressed_while_it_runs(door: Door, service: Scripted) -> None:
    more = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b'{"epoch": 1}\n' * 1000
        await more.wait()
        yield b'{"epoch": 2}\n'

    service.chunks, service.headers = chunks, [(b"content-type", b"application/x-ndjson")]
    headers = {"authorization": f"Bearer {await door.token('admin')}", "accept-encoding": "gzip"}
    async with door.http.get(f"{door.url}/api/v1/reports", headers=headers) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        stream, text = zlib.decompressobj(31), b""
        while not text:
            text = stream.decompress(await answer.content.readany())
        assert text.startswith(b'{"epoch": 1}\n')
        more.set()
        rest = stream.decompress(await answer.content.read()) + stream.flush()
        assert rest.endswith(b'{"epoch": 2}\n')
        assert stream.eof


@pytest.mark.parametrize(
    ("told", "is_preferred"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, br", False),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.2, identity;q=0.9", False),
        ("gzip;q=0.9, identity;q=0.2", True),
        ("br;q=1.0, gzip;q=0.001", True),
        ("gzip;q=nonsense", False),
    ],
)
def test_weights_are_heeded(told: str | None, is_preferred: bool) -> None:  # noqa: FBT001 - a column of the table
    assert prefers_gzip(told) is is_preferred
