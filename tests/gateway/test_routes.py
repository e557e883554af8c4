"""Only what the public document lists passes; no spelling of a path reaches anything else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.routes import Routes
from tests.gateway.feed import FedConsent
from tests.gateway.running import DOCUMENT, Door, Scripted, a_gateway, everywhere, upstream_to

TRICKS = (
    "/internal/consent",
    "/api/v1/../../internal/consent",
    "/api/v1/%2e%2e/%2e%2e/internal/consent",
    "/api/v1/reports/..%2f..%2f..%2finternal%2fconsent",
    "/api/v1/reports/%2e%2e/grants",
    "/api/v1/reports/../grants",
    "/api/v1/reports/./r1",
    "/api/v1//reports",
    "//api/v1/reports",
    "/api/v1/reports/",
    "/api/v1/reports//file",
    "/api/v1/reports;v=1",
    "/api/v1/reports/r1;x",
    "/api/v1/reports%2fr1",
    "/api/v1/reports/r1%2ffile",
    "/api/v1/reports/r1%00",
    "/api/v1/reports/r1%0d%0ax-star: 1",
    "/api/v1/reports/r%31",
    "/api/v1/reports/..",
    "/api/v1/reports/%252e%252e",
    "/api/v1/reports/r1/file/extra",
    "/api/v1/reports\\r1",
    "/API/V1/reports",
    "/api/v1/reports/" + "r" * 65,
    "/api/v1/reports/\u0435",
    "/api/v1/unknown",
    "/api/v1/health/ready",
    "/schema/openapi.json",
    "/schema",
    "/metrics",
    "/dev/../internal/consent",
    "http://access/internal/consent",
)


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


async def over_a_socket(door: Door, method: str, target: str) -> bytes:
    """The answer to a request that is sent as it is spelt: a client would mend it first."""
    host, port = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {target} HTTP/1.1\r\nhost: star\r\nauthorization: Bearer {await door.token('admin')}\r\n"
    writer.write(f"{head}connection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("path", TRICKS)
def test_a_path_trick_matches_no_route(path: str) -> None:
    assert Routes(DOCUMENT).find(path) is None


async def test_no_path_trick_reaches_a_service(door: Door, service: Scripted) -> None:
    for path in TRICKS:
        answer = await over_a_socket(door, "GET", path)
        assert answer.split(b" ")[1] in {b"404", b"400"}, path
    assert service.seen == []


async def test_a_method_that_a_path_does_not_know_is_refused(door: Door, service: Scripted) -> None:
    got = await door.ask("DELETE", "/api/v1/reports", "admin")
    assert (got.status, got.headers["allow"]) == (405, "GET, HEAD")
    assert service.seen == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PROPFIND"])
async def test_an_exotic_method_reaches_no_service(door: Door, service: Scripted, method: str) -> None:
    answer = await over_a_socket(door, method, "access:80" if method == "CONNECT" else "/api/v1/reports")
    assert answer.split(b" ")[1] in {b"400", b"404", b"405"}
    assert service.seen == []


def test_a_path_that_no_service_owns_cannot_be_public() -> None:
    with pytest.raises(ValueError, match="belongs to no service"):
        Routes({"paths": {"/internal/consent": {"get": {}}}})


@pytest.mark.parametrize("query", ["x=" + "y" * 9_000, "x=\x7f", "x=\xff", "x=a\tb"])
async def test_a_query_that_is_too_long_or_not_encoded_is_refused(door: Door, service: Scripted, query: str) -> None:
    answer = await over_a_socket(door, "GET", f"/api/v1/reports?{query}")
    assert answer.split(b" ")[1] == b"400"
    assert service.seen == []
