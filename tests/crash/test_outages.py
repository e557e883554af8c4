"""The servers of a deployed country go away in mid-load: requests fail cleanly, and afterwards everything completes."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from tests.crash.chaos import watched
from tests.crash.journal import Journal
from tests.crash.staging import run_in
from tests.servers import Server
from tests.support.deployment import Deployment, deployed
from tests.support.eventually import eventually

pytestmark = [pytest.mark.servers, pytest.mark.crash, pytest.mark.timeout(600)]

OUTAGE_S: Final = 30.0
FROZEN_S: Final = 12.0
LONGEST_ANSWER_S: Final = 20.0


@pytest.fixture
def country(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path, trace_ratio="0.05") as deployment:
        yield deployment


def test_a_country_outlives_the_outage_of_each_server(country: Deployment, crash_seed: int) -> None:
    async def trouble(journal: Journal) -> None:
        async with watched(country, journal):
            await asyncio.sleep(5)
            for name, server, failing in (
                ("rabbitmq", country.rabbitmq, {"bus"}),
                ("mongo", country.mongo, {"documents"}),
                ("minio", country.minio, {"files"}),
            ):
                await asyncio.to_thread(server.kill if name == "rabbitmq" else server.stop)
                await _gone(country, name, failing, OUTAGE_S)
                await asyncio.to_thread(server.start)
                await country.until_ready()
                await _goes_on(journal, name)
            await _frozen(country, journal, country.mongo)

    slowest_s = run_in(country, trouble, seed=crash_seed)
    assert slowest_s < LONGEST_ANSWER_S


async def _gone(country: Deployment, name: str, failing: set[str], for_s: float) -> None:
    """See the outage through: readiness names what is failing."""
    ends = time.monotonic() + for_s
    await eventually(lambda: _failing(country, "assessment", failing), within_s=for_s, saying=f"readiness tells {name}")
    print(f"{name}: readiness told after {for_s - (ends - time.monotonic()):.1f} s")  # noqa: T201
    await asyncio.sleep(max(0.0, ends - time.monotonic()))


async def _failing(country: Deployment, process: str, failing: set[str]) -> bool:
    """Whether readiness is denied for exactly these parts, while the process says that it lives."""
    url = f"http://127.0.0.1:{country.ports[process]}/health"
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        async with session.get(f"{url}/ready") as response:
            told = await response.json()
        async with session.get(f"{url}/live") as response:
            is_live = response.status == 200
    assert is_live
    return set(told["failing"]) == failing


async def _goes_on(journal: Journal, name: str) -> None:
    """Wait until work is done again."""
    before = len(journal.facts)
    started = time.monotonic()
    await eventually(lambda: len(journal.facts) > before + 20, within_s=60, saying=f"work goes on after {name}")
    print(f"{name}: work went on after {time.monotonic() - started:.1f} s")  # noqa: T201


async def _frozen(country: Deployment, journal: Journal, server: Server) -> None:
    """A server whose connections stay open and where nothing answers."""
    server.pause()
    try:
        await _gone(country, f"frozen {server.name}", {"documents"}, FROZEN_S)
    finally:
        server.resume()
    await country.until_ready()
    await _goes_on(journal, f"frozen {server.name}")
