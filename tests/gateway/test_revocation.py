"""Access and gateways together: after a revoke returned, no gateway shows what was revoked."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import httpx
import pytest

from gateway.inprocess import InProcessUpstream
from tests.access.parties import FACTORY, LEASE_S, a_grant, sharing_access
from tests.gateway.running import Door, a_gateway, everywhere, serving
from tests.support.eventually import eventually
from tests.support.services import SIGNING_KEY, Running, signed

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with sharing_access(tmp_path / "access") as running:
        yield running


@contextlib.asynccontextmanager
async def one_gateway(service: Running, folder: Path) -> AsyncIterator[Door]:
    upstreams = everywhere(InProcessUpstream(service.service.app))
    async with a_gateway(folder, upstreams) as door:
        await eventually(lambda: is_shown(door), saying="the buyer sees the factory")
        yield door


async def is_shown(door: Door) -> bool:
    got = await door.ask("GET", "/api/v1/factories/f1", "buyer")
    return got.status == 200


async def revoke(service: Running) -> httpx.Response:
    return await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))


async def test_a_revocation_through_the_gateway_is_in_force_when_it_returns(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door, one_gateway(service, tmp_path) as other:
        assert (await door.ask("DELETE", "/api/v1/grants/g1", "other-factory")).status == 404
        assert (await door.ask("DELETE", "/api/v1/grants/g1", "factory")).status == 204
        for gateway in (door, other):
            assert (await gateway.ask("GET", "/api/v1/factories/f1", "buyer")).status == 404
            assert (await gateway.ask("GET", "/api/v1/factories", "buyer")).json()["items"] == []


async def test_a_revocation_that_gateways_acknowledge_is_quick(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door:
        await asyncio.sleep(LEASE_S)  # the leases that an earlier process might have given are over
        began = time.monotonic()
        assert (await door.ask("DELETE", "/api/v1/grants/g1", "factory")).status == 204
        assert time.monotonic() - began < LEASE_S / 2


async def test_no_read_succeeds_after_any_of_many_revocations(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door:
        for number in range(2, 12):
            grant_id = f"g{number}"
            await revoke_all(door, f"g{number - 1}")
            assert not await is_shown(door)
            assert (await service.post("/api/v1/grants", FACTORY, a_grant(grant_id))).status_code == 201
            await eventually(lambda: is_shown(door), saying="the buyer sees the factory again")


async def revoke_all(door: Door, grant_id: str) -> None:
    assert (await door.ask("DELETE", f"/api/v1/grants/{grant_id}", "factory")).status == 204


async def test_a_gateway_that_lost_access_answers_503_when_the_revocation_returns(
    service: Running, tmp_path: Path
) -> None:
    async with one_gateway(service, tmp_path) as door:
        await door.gateway._follower.stop()
        assert (await revoke(service)).status_code == 204
        got = await door.ask("GET", "/api/v1/factories/f1", "buyer")
        assert (got.status, got.json()["code"]) == (503, "consent_unknown")


async def test_a_paused_gateway_holds_a_revocation_up_and_wakes_without_a_lease(
    service: Running, tmp_path: Path
) -> None:
    async with (
        serving(service.service.app) as access_url,
        gateway_process(access_url, tmp_path) as (process, url),
        aiohttp.ClientSession() as http,
    ):
        headers = await signed_in(http, url)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert (await revoke(service)).status_code == 204
        waited = time.monotonic() - began
        asking = asyncio.create_task(http.get(f"{url}/api/v1/factories/f1", headers=headers))
        await asyncio.sleep(0.1)
        process.send_signal(signal.SIGCONT)
        answer = await asking
        assert answer.status in {503, 404}
        assert b"time_zone" not in await answer.read()
        assert waited > LEASE_S / 3


@contextlib.asynccontextmanager
async def gateway_process(access_url: str, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A gateway in a process of its own, which tells its address on its first line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.process",
        access_url,
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "STAR_TEST_SIGNING_KEY": SIGNING_KEY},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield process, (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()


async def signed_in(http: aiohttp.ClientSession, url: str) -> dict[str, str]:
    """The buyer's header, once the gateway shows the factory."""
    async with http.post(f"{url}/dev/token", json={"user": "buyer"}) as answer:
        headers = {"authorization": f"Bearer {(await answer.json())['access_token']}"}

    async def is_seen() -> bool:
        async with http.get(f"{url}/api/v1/factories/f1", headers=headers) as answer:
            return answer.status == 200

    await eventually(is_seen, saying="the buyer sees the factory")
    return headers
