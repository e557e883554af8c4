"""How long a revocation takes until it is in force everywhere, while buyers read."""

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from deploy.terminal import say
from gateway.inprocess import InProcessUpstream
from tests.access.parties import ADMIN, FACTORY, a_grant, access
from tests.bench.timing import Spread, spread
from tests.gateway.running import Door, a_gateway, everywhere
from tests.support.services import Running, signed

REVOKED = 200
READERS_A_GATEWAY = 2
BETWEEN_READS_S = 0.002


class Found(msgspec.Struct, frozen=True):
    """Times in ms of giving and of revoking, and the reads that went on beside the revoking."""

    given_ms: Spread
    revoked_ms: Spread
    reads: int
    seconds: float


async def main() -> None:
    """Measure with one gateway and with three, and print."""
    say(f"\nrevocations: {REVOKED} one after the other, {READERS_A_GATEWAY} readers at each gateway")
    found = {gateways: await measured(gateways) for gateways in (1, 3)}
    for gateways, each in found.items():
        say(f"  {gateways} gateway(s)  ms: {each.revoked_ms}   beside {each.reads / each.seconds:,.0f} reads/s")
        say(f"               to give a grant ms: {each.given_ms}")
    say(f"  three gateways against one: p50 {found[3].revoked_ms.p50 / found[1].revoked_ms.p50:.2f}")


async def measured(gateways: int) -> Found:
    """Give grants to one access service with that many gateways, then revoke them one after the other."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="star-bench-")))
        service = await stack.enter_async_context(access(folder / "access"))
        upstreams = everywhere(InProcessUpstream(service.service.app))
        doors = [await stack.enter_async_context(a_gateway(folder / str(n), upstreams)) for n in range(gateways)]
        await service.post("/api/v1/entitlements", ADMIN, {"buyer_id": "b1"})
        given = [await _given(service, number) for number in range(REVOKED)]
        reads = [0]
        readers = [asyncio.create_task(_read(door, reads)) for door in doors for _ in range(READERS_A_GATEWAY)]
        began = time.perf_counter()
        revoked = [await _revoked(service, number) for number in range(REVOKED)]
        seconds = time.perf_counter() - began
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        return Found(spread(given), spread(revoked), reads[0], seconds)


async def _given(service: Running, number: int) -> float:
    began = time.perf_counter()
    answer = await service.post("/api/v1/grants", FACTORY, a_grant(f"g{number}"))
    if answer.status_code != 201:
        raise RuntimeError(f"a grant was answered {answer.status_code}")
    return (time.perf_counter() - began) * 1e3


async def _revoked(service: Running, number: int) -> float:
    headers = signed(FACTORY)
    began = time.perf_counter()
    answer = await service.http.delete(f"/api/v1/grants/g{number}", headers=headers)
    if answer.status_code != 204:
        raise RuntimeError(f"a revocation was answered {answer.status_code}")
    return (time.perf_counter() - began) * 1e3


async def _read(door: Door, reads: list[int]) -> None:
    while True:
        await door.ask("GET", "/api/v1/factories/f1", "buyer")
        reads[0] += 1
        await asyncio.sleep(BETWEEN_READS_S)
