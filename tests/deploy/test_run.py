"""``star run``: greets, stays quiet, stops when asked, survives a full disk, loads the demo country once."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.demo.people import FACTORIES
from tests.support.eventually import eventually
from tests.support.star import StarRun


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[StarRun]:
    """A country of this test alone, not started."""
    star = StarRun(tmp_path)
    yield star
    star.close()


async def test_it_greets_with_address_and_users_and_is_quiet_then(run: StarRun) -> None:
    await run.start()
    async with run.as_user() as admin:
        await admin.get("/factories")
    lines = run.said.splitlines()
    assert lines[0].startswith(f"STAR is ready at {run.url} ")
    assert "admin" in lines[1]
    assert "buyer-1" in lines[1]
    assert "/dev/token" in lines[2]
    assert len(lines) == 3


async def test_a_log_level_brings_json_lines_with_the_trace_id(tmp_path: Path) -> None:
    star = StarRun(tmp_path, STAR_LOG_LEVEL="DEBUG")
    try:
        await star.start()
        await star.until_told("{")
        logged = [json.loads(line) for line in star.said.splitlines() if line.startswith("{")]
        assert {"time", "level", "name", "message", "service", "trace_id"} <= set(logged[0])
    finally:
        star.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_when_asked_and_says_nothing(run: StarRun, number: signal.Signals) -> None:
    await run.start()
    async with run.as_user() as admin:
        await admin.get("/factories")  # a connection that stays open
        before = run.said
        code = await asyncio.wait_for(asyncio.to_thread(run.stop, number), 5)
    assert (code, run.said) == (0, before)


@pytest.mark.timeout(180)
async def test_it_stops_while_the_demo_country_loads_and_completes_it_at_the_next_start(tmp_path: Path) -> None:
    star = StarRun(tmp_path, "--demo-country")
    try:
        await star.start()
        await star.until_told("factories and")
        assert await asyncio.wait_for(asyncio.to_thread(star.stop), 10) == 0
        assert "Traceback" not in star.said
        await star.start()
        await star.until_told("demo country: complete", 150)
        assert "released" in star.said
        assert star.stop() == 0
        await star.start()
        await asyncio.sleep(1)
        assert "demo country" not in star.said
        async with star.as_user() as admin:
            assert len((await admin.get("/factories?limit=200"))["items"]) == FACTORIES
    finally:
        star.close()


async def test_a_full_disk_refuses_writes_with_a_problem_and_nothing_more(run: StarRun) -> None:
    await run.start()
    async with run.as_user() as admin:
        assert (await admin.call("POST", "/buyers", {"id": "b-before", "name": "Before"})).status == 201
        run.limit_files_to(1)
        refused = await admin.call("POST", "/buyers", {"id": "b-full", "name": "Full"})
        assert refused.status >= 500
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json["trace_id"] == refused.trace_id
        assert (await admin.call("GET", "/buyers/b-before")).status == 200
        run.limit_files_to(-1)

        async def kept() -> bool:
            return (await admin.call("POST", "/buyers", {"id": "b-after", "name": "After"})).status == 201

        await eventually(kept, 20, saying="a buyer is registered once the disk has room")
        assert (await admin.call("GET", "/buyers/b-full")).status == 404
    await run.until_answers("/health/ready")
