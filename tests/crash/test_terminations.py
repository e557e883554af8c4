"""A service that is asked to end in mid-load finishes what it is at, ends with 0, and nothing is lost."""

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest

from tests.crash.journal import Journal
from tests.crash.staging import run_in
from tests.support.deployment import PROCESSES, deployed

pytestmark = [pytest.mark.servers, pytest.mark.crash, pytest.mark.timeout(600)]

GRACE_S: Final = 15.0


def test_a_service_that_is_asked_to_end_ends_cleanly_in_mid_load(tmp_path: Path, crash_seed: int) -> None:
    with deployed(tmp_path, trace_ratio="0.05") as country:

        async def trouble(journal: Journal) -> None:
            await asyncio.sleep(3)
            for name in PROCESSES:
                started = time.monotonic()
                code = await asyncio.to_thread(country.terminate, name, within_s=GRACE_S)
                print(f"{name} ended with {code} after {time.monotonic() - started:.1f} s")  # noqa: T201
                if code != 0:
                    journal.fault(f"{name} ended with {code} when asked to: {country.log_tail(name)}")
                country.start(name)
                await country.until_ready(name)

        run_in(country, trouble, seed=crash_seed)
