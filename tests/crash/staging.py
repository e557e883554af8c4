"""The workload at work in a country, from the first request to the verdict."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine

import aiohttp

from deploy.client import SignIn
from tests.crash.echo import Echo
from tests.crash.journal import Journal
from tests.crash.judge import judge
from tests.crash.persistence import Line
from tests.crash.stores import Observer, Stores
from tests.crash.workload import Workload
from tests.support.deployment import PROCESSES, Deployment

Trouble = Callable[[Journal], Coroutine[None, None, None]]
"""What is done to a country while people work in it."""


@contextlib.asynccontextmanager
async def line_to(url: str, signing_in: Callable[[aiohttp.ClientSession], SignIn]) -> AsyncIterator[Line]:
    """People who talk to a gateway, each request on a connection of its own, as from many places."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Line(session, url, signing_in(session), Journal())


async def work_through(line: Line, stores: Stores, trouble: Trouble, *, seed: int, observer: Observer | None) -> None:
    """Let people work while there is trouble, then judge; raises ``AssertionError`` with every difference."""
    journal = line.journal
    started = time.monotonic()
    workload = Workload(line, seed=seed)
    work = asyncio.create_task(workload.run())
    problem = asyncio.create_task(trouble(journal))
    try:
        await asyncio.wait({work, problem}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        await problem
        workload.stop()
        await work
        worked_s = time.monotonic() - started
        differences = await judge(journal, stores, line, observer)
    finally:
        for task in (work, problem):
            task.cancel()
        await asyncio.gather(work, problem, return_exceptions=True)
        print(*journal.figures(), sep="\n")  # noqa: T201 - the figures of a run are part of its result
    print(f"worked {worked_s:.0f} s, judged {time.monotonic() - started - worked_s:.0f} s")  # noqa: T201
    assert not differences, "\n".join(differences[:40])


def run_in(country: Deployment, trouble: Trouble, *, seed: int) -> float:
    """Let people work in a deployed country while there is trouble, and judge; tell the slowest attempt's seconds."""
    print(f"seed {seed}")  # noqa: T201 - the seed repeats the run

    async def main() -> float:
        observer = Observer(country.rabbitmq.url)
        await observer.bind()
        before = {name: country.memory_kib(name) // 1024 for name in PROCESSES}
        async with (
            line_to(country.url, lambda _: country.issuer.sign_in) as line,
            Stores(country.settings("access")).opened() as stores,
            Echo(country.rabbitmq.url, seed=seed).sounding(),
        ):
            await work_through(line, stores, trouble, seed=seed, observer=observer)
        after = {name: country.memory_kib(name) // 1024 for name in PROCESSES}
        print("MiB before -> after:", {name: f"{before[name]} -> {after[name]}" for name in PROCESSES})  # noqa: T201
        return line.journal.slowest_s

    return asyncio.run(main())
