"""Random processes of a deployed country are killed without mercy while people work in it: nothing is lost."""

import time
from pathlib import Path

import pytest

from tests.crash.chaos import Chaos, watched
from tests.crash.journal import Journal
from tests.crash.staging import run_in
from tests.support.deployment import deployed

pytestmark = [pytest.mark.servers, pytest.mark.crash, pytest.mark.timeout(3_600)]


def test_nothing_acknowledged_is_lost_or_applied_twice(tmp_path: Path, kills: int, crash_seed: int) -> None:
    with deployed(tmp_path, trace_ratio="0.05") as country:

        async def trouble(journal: Journal) -> None:
            started = time.monotonic()
            chaos = Chaos(country, journal, seed=crash_seed)
            async with watched(country, journal):
                await chaos.kill(kills)
            await country.until_ready()
            print(f"{chaos.kills} kills in {time.monotonic() - started:.0f} s: {dict(chaos.kinds)}")  # noqa: T201

        run_in(country, trouble, seed=crash_seed)
