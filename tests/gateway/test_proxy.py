"""Requests pass through the gateway alike, whether a service lives in this process or in another."""

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.upstream import HttpUpstream
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_following_gateway, a_gateway, everywhere, upstream_to
from tests.support.eventually import eventually, until_still

MB = 1024 * 1024


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture(params=["inprocess", "http"])
async def door(request: pytest.FixtureRequest, service: Scripted, tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to(request.param, service) as upstream,
        a_gateway(tmp_path, everywhere(upstream), FedConsent()) as door,
    ):
        yield door


async def test_a_request_reaches_the_service_with_method_path_query_and_body(door: Door, service: Scripted) -> None:
    got = await door.ask("POST", "/api/v1/factories?limit=3&x=%C3%A9", "admin", json={"name": "é"})
    seen = service.seen[0]
    assert got.status == 200
    assert (seen.method, seen.path, seen.query) == ("POST", "/api/v1/factories", "limit=3&x=%C3%A9")
    assert seen.body == b'{"name": "\\u00e9"}'
    assert seen.headers["content-type"] == "application/json"


async def test_the_callers_token_stays_at_the_gateway(door: Door, service: Scripted) -> None:
    await door.ask("GET", "/api/v1/factories", "admin")
    principal = service.seen[0].claims()["principal"]
    assert principal["subject"] == "admin"
    assert principal["roles"] == ["administrator"]
    assert await door.token("admin") not in service.seen[0].headers["authorization"]


async def test_headers_that_claim_an_identity_do_not_reach_the_service(door: Door, service: Scripted) -> None:
    claims = ["star-factory", "star-kind", "x-star-principal", "x-forwarded-user", "x-forwarded-for", "forwarded"]
    claims += ["cookie", "x-remote-user", "proxy-authorization", "te", "x-original-url", "x-http-method-override"]
    await door.ask("GET", "/api/v1/factories", "admin", headers=dict.fromkeys(claims, "administrator"))
    assert not set(claims) & set(service.seen[0].headers)


async def test_internal_and_hop_by_hop_headers_do_not_reach_the_caller(door: Door, service: Scripted) -> None:
    service.headers += [(b"star-factory", b"f1"), (b"star-kind", b"assessment"), (b"set-cookie", b"a=b")]
    service.headers += [(b"x-star-secret", b"1"), (b"server", b"uvicorn/0"), (b"etag", b'"1"')]
    got = await door.ask("GET", "/api/v1/factories", "admin")
    assert not {"star-factory", "star-kind", "set-cookie", "x-star-secret"} & set(got.headers)
    assert got.headers["etag"] == '"1"'


async def test_an_answer_may_not_be_shared_sniffed_or_framed(door: Door, service: Scripted) -> None:
    service.headers += [(b"cache-control", b"public, max-age=3600")]
    got = await door.ask("GET", "/api/v1/factories", "admin")
    assert got.headers["cache-control"] == "private, no-cache"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in got.headers["content-security-policy"]


async def test_one_trace_goes_through(door: Door, service: Scripted) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got = await door.ask("GET", "/api/v1/factories", "admin", headers={"traceparent": parent})
    assert got.headers["trace-id"] == "0af7651916cd43dd8448eb211c80319c"
    assert service.seen[0].headers["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(("ratio", "mark"), [(0.0, "00"), (1.0, "01")])
async def test_a_caller_does_not_say_whether_its_trace_is_kept(tmp_path: Path, ratio: float, mark: str) -> None:
    service, settings = Scripted(), {"trace_ratio": ratio}
    async with a_following_gateway("inprocess", service, FedConsent(), tmp_path, settings=settings) as door:
        for told in ("01", "00"):
            parent = f"00-0af7651916cd43dd0000000000000001-b7ad6b7169203331-{told}"
            await door.ask("GET", "/api/v1/factories", "admin", headers={"traceparent": parent})
    marks = {(seen.headers["traceparent"].split("-")[1], seen.headers["traceparent"][-2:]) for seen in service.seen}
    assert marks == {("0af7651916cd43dd0000000000000001", mark)}


async def test_a_body_is_streamed_up_as_it_arrives(door: Door, service: Scripted) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"x" * MB

    got = await door.ask("POST", "/api/v1/visits/v1/evidence", "admin", data=pieces())
    assert got.status == 200
    assert len(service.seen[0].body) == 12 * MB


async def test_a_body_beyond_the_cap_is_refused_while_it_streams(door: Door, service: Scripted) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(34):
            yield b"x" * MB

    with contextlib.suppress(aiohttp.ClientError):
        got = await door.ask("POST", "/api/v1/visits/v1/evidence", "admin", data=pieces())
        assert (got.status, got.json()["code"]) == (413, "too_large")
    assert service.seen == []


async def test_an_announced_body_beyond_the_cap_is_refused_at_once(door: Door, service: Scripted) -> None:
    with contextlib.suppress(aiohttp.ClientError):
        got = await door.ask("POST", "/api/v1/visits/v1/evidence", "admin", data=io.BytesIO(b"x" * (33 * MB)))
        assert got.status == 413
    assert service.seen == []


async def test_an_answer_is_streamed_down_before_it_is_complete(door: Door, service: Scripted) -> None:
    more = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await more.wait()
        yield b"second"

    service.chunks, service.headers = chunks, [(b"content-type", b"application/pdf")]
    headers = {"authorization": f"Bearer {await door.token('admin')}"}
    async with door.http.get(f"{door.url}/api/v1/reports/r1/file", headers=headers) as answer:
        assert await answer.content.readany() == b"first"
        more.set()
        assert await answer.content.read() == b"second"


async def test_a_slow_reader_holds_up_the_service(door: Door, service: Scripted) -> None:
    made = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(200):
            made += 1
            yield b"x" * MB

    service.chunks, service.headers = chunks, [(b"content-type", b"application/pdf")]
    headers = {"authorization": f"Bearer {await door.token('admin')}"}
    async with door.http.get(f"{door.url}/api/v1/reports/r1/file", headers=headers) as answer:
        await answer.content.readany()
        await until_still(lambda: made)
        assert made < 60


async def test_a_caller_who_leaves_cancels_the_work(door: Door, service: Scripted) -> None:
    service.hold = asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", "/api/v1/reports", "admin"))
    await eventually(lambda: service.seen, saying="the request arrives")
    asking.cancel()
    if isinstance(door.gateway._upstreams["access"], HttpUpstream):
        service.hold.set()  # another process is only told that its caller has gone
        await eventually(lambda: service.finished, saying="the request ends")
    else:
        await eventually(lambda: service.cancelled, saying="the work is cancelled")


async def test_a_caller_who_leaves_in_the_middle_of_a_download_ends_it(door: Door, service: Scripted) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    service.chunks = chunks
    headers = {"authorization": f"Bearer {await door.token('admin')}"}
    answer = await door.http.get(f"{door.url}/api/v1/reports/r1/file", headers=headers)
    await answer.content.readany()
    answer.close()
    await eventually(lambda: service.cancelled or service.finished, saying="the download ends")


@pytest.mark.parametrize("status", [201, 204, 302, 403, 404, 409, 429, 500])
async def test_a_service_s_status_passes(door: Door, service: Scripted, status: int) -> None:
    service.status, service.body = status, b""
    service.headers += [(b"location", b"https://elsewhere.example/")]
    got = await door.ask("GET", "/api/v1/reports", "admin", allow_redirects=False)
    assert got.status == status
    assert "location" not in got.headers


async def test_a_service_that_distrusts_the_gateway_is_not_the_caller_s_fault(door: Door, service: Scripted) -> None:
    service.status = 401
    got = await door.ask("GET", "/api/v1/reports", "admin")
    assert (got.status, got.json()["code"]) == (503, "service_not_available")


async def test_a_service_that_breaks_off_breaks_the_answer_off(door: Door, service: Scripted) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("the disk is gone")

    service.chunks = chunks
    service.headers = [(b"content-type", b"text/plain")]
    headers = {"authorization": f"Bearer {await door.token('admin')}"}
    with pytest.raises(aiohttp.ClientError):
        async with door.http.get(f"{door.url}/api/v1/reports/r1/file", headers=headers) as answer:
            await answer.content.read()


async def test_a_service_that_is_down_is_a_503_that_says_when_to_come_back(tmp_path: Path) -> None:
    async with upstream_to("http", Scripted()) as upstream:
        pass
    async with a_gateway(tmp_path, everywhere(upstream), FedConsent()) as door:
        got = await door.ask("GET", "/api/v1/reports", "admin")
        assert (got.status, got.json()["code"]) == (503, "service_not_available")
        assert got.headers["retry-after"] == "2"


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/grants"), ("PUT", "/api/v1/visits/v1/answers")])
async def test_a_body_is_never_sent_twice(tmp_path: Path, method: str, path: str) -> None:
    requests = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await reader.readuntil(b"\r\n\r\n"):
            requests += 1
            if requests == 1:  # keeps the connection, so that the next request meets a closing one
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            else:
                writer.close()
                return

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, a_gateway(tmp_path, everywhere(HttpUpstream(url)), FedConsent()) as door:
        assert (await door.ask("GET", "/api/v1/reports", "admin")).status == 200

        async def pieces() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(0.3)  # the service hangs up meanwhile
            yield b"the rest"

        assert (await door.ask(method, path, "admin", data=pieces())).status == 503
        assert requests == 2


async def test_a_service_that_never_answers_is_given_up(tmp_path: Path) -> None:
    service = Scripted(hold=asyncio.Event())
    async with upstream_to("http", service) as upstream:
        assert isinstance(upstream, HttpUpstream)
        upstream._read_timeout_s = 0.2
        async with a_gateway(tmp_path, everywhere(upstream), FedConsent()) as door:
            began = time.monotonic()
            assert (await door.ask("GET", "/api/v1/reports", "admin")).status == 503
            assert time.monotonic() - began < 2


async def test_a_get_that_meets_a_closing_connection_is_sent_once_more(tmp_path: Path) -> None:
    requests = 0

    async def close_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                requests += 1
                if requests == 2:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(close_the_second, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, a_gateway(tmp_path, everywhere(HttpUpstream(url)), FedConsent()) as door:
        assert [(await door.ask("GET", "/api/v1/reports", "admin")).status for _ in range(2)] == [200, 200]
        assert requests == 3
