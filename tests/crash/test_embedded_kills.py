"""The one process of an embedded run is killed without mercy, again and again, on the same folder: nothing is lost."""

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from deploy.client import development_sign_in
from deploy.demo.people import COUNTRY, TIME_ZONE
from deploy.embedded import with_keys
from services.runtime.settings import Settings
from tests.crash.journal import Journal, VisitFinalised
from tests.crash.staging import line_to, work_through
from tests.crash.stores import Stores
from tests.servers.ports import free_ports
from tests.servers.process import end, end_at_once, spawn, tail

pytestmark = [pytest.mark.crash, pytest.mark.timeout(600)]

KILLS: Final = 15
READY_S: Final = 60.0
PAUSE_S: Final = (0.0, 1.5)


class Run:
    """``star run`` as a process of its own, on one port and one folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "star.log"
        self._command = [sys.executable, "-c", "from deploy.cli import main; main()", "run", "--no-demo-country"]
        self._command += ["--port", str(port), "--data", str(folder / "data")]
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("STAR_")}
        self._environment |= {"STAR_LEASE_S": "2", "STAR_LOG_LEVEL": "WARNING"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = spawn(self._command, self.log, self._environment)

    def kill(self) -> None:
        if self._process is not None:
            end_at_once(self._process)

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    async def until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        async with aiohttp.ClientSession() as session:
            while not await self._is_ready(session):
                assert self.exit_code is None, f"star ended by itself: {tail(self.log)}"
                assert time.monotonic() < deadline, f"star is not ready: {tail(self.log)}"
                await asyncio.sleep(0.05)

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/health/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


def test_nothing_acknowledged_is_lost_or_applied_twice(tmp_path: Path, crash_seed: int) -> None:
    print(f"seed {crash_seed}")  # noqa: T201 - the seed repeats the run
    run = Run(tmp_path, free_ports(1)[0])
    try:
        asyncio.run(_killed(run, tmp_path / "data", crash_seed))
        run.stop()
        assert run.exit_code == 0, tail(run.log)
    finally:
        run.kill()


async def _killed(run: Run, folder: Path, seed: int) -> None:
    chance = random.Random(f"{seed} kills")
    settings = with_keys(Settings(country=COUNTRY, time_zone=TIME_ZONE, data_folder=folder))
    run.start()
    await run.until_ready()

    async def trouble(journal: Journal) -> None:
        started = time.monotonic()
        for number in range(KILLS):
            # Every fifth kill hits a run that is only starting.
            if number % 5 != 4:
                await run.until_ready()
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            if chance.random() < 0.5:
                # What follows from a finalised visit is on its way just now, from outbox to queue to listener.
                await journal.until_next(VisitFinalised, within_s=3)
                await asyncio.sleep(chance.uniform(0, 0.08))
            assert run.exit_code is None, f"star ended by itself: {tail(run.log)}"
            run.kill()
            run.start()
        await run.until_ready()
        print(f"{KILLS} kills in {time.monotonic() - started:.0f} s")  # noqa: T201

    async with (
        line_to(run.url, lambda session: development_sign_in(session, run.url)) as line,
        Stores(settings).opened() as stores,
    ):
        await work_through(line, stores, trouble, seed=seed, observer=None)
