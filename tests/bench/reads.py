"""Authorised reads of small reports: through gateways and bare, alternating in the same run, one client.

First without the read log, to tell what the decision costs; then with it, of one factory and of many in turn.
"""

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec

from contracts.identity import Principal, Role
from deploy.terminal import say
from services.runtime.identity import Signer, new_signing_key
from tests.bench.serving import KEY, LOGGED
from tests.bench.timing import Spread, median, spread
from tests.support.star import environment

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, ROUND_S = 24, 0.12
CONCURRENCIES = (1, 16)
LOG_CONCURRENCIES = (1, 16, 64)
WRITES = 100
STARTS_IN_S, ENDS_IN_S = 60, 10
PATH = "/api/v1/reports/r0"


class Target(msgspec.Struct, frozen=True):
    """What is asked, and as whom: addresses with their bodies (``None``: GET), one after the other, over and over."""

    asked: Sequence[tuple[str, bytes | None]]
    headers: Mapping[str, str] = {}


class Rate(msgspec.Struct, frozen=True):
    """Answers per second in each round, and the time of one answer in µs."""

    per_round: list[float]
    took_us: Spread

    def against(self, other: "Rate") -> float:
        """This rate as a share of another's: the median of the rounds, each beside the other's same round."""
        return median([own / theirs for own, theirs in zip(self.per_round, other.per_round, strict=True)])


@contextlib.asynccontextmanager
async def serving(role: str, grants: int, buyers: int, key: str, *urls: str) -> AsyncIterator[dict[str, str]]:
    """The servers of a role in a process of their own; yields their addresses."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.serving", role, str(grants), str(buyers), *urls),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environment(), KEY: key},
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTS_IN_S):
            line = await process.stdout.readline()
        yield msgspec.json.decode(line, type=dict[str, str])
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Let the process end by itself, at the end of its standard input, and kill it if it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(ENDS_IN_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()


async def measured(
    http: aiohttp.ClientSession, targets: Mapping[str, Target], concurrency: int, *, rounds: int = ROUNDS
) -> dict[str, Rate]:
    """Ask the targets in turn, round after round."""
    rates: dict[str, list[float]] = {name: [] for name in targets}
    took: dict[str, list[float]] = {name: [] for name in targets}
    for number in range(rounds + 1):
        for name, target in targets.items():
            began = time.perf_counter()
            durations = await _round(http, target, concurrency)
            if number > 0:  # the first round warms up
                rates[name].append(len(durations) / (time.perf_counter() - began))
                took[name] += durations
    return {name: Rate(rates[name], spread(took[name])) for name in targets}


async def _round(http: aiohttp.ClientSession, target: Target, concurrency: int) -> list[float]:
    """Ask one target for a while; returns how long each answer took, in µs."""
    durations: list[float] = []
    ends = time.perf_counter() + ROUND_S
    asked = itertools.cycle(target.asked)

    async def ask() -> None:
        while (began := time.perf_counter()) < ends:
            url, body = next(asked)
            method = "GET" if body is None else "POST"
            async with http.request(method, url, data=body, headers=target.headers) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{url} answered {answer.status}")
            durations.append((time.perf_counter() - began) * 1e6)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(ask())
    return durations


async def main(grants: int, buyers: int) -> None:
    """Measure and print."""
    key = new_signing_key()
    async with (
        serving("service", 0, 1, key) as service,
        serving("gateways", grants, buyers, key, service["service"], service["access"]) as gateways,
        aiohttp.ClientSession() as http,
    ):
        say(f"\nreads of a small report, {grants:,} grants, {grants // buyers} factories share with the buyer")
        for concurrency in CONCURRENCIES:
            targets = {"bare service": _bare(service["service"], key)} | await without_log(http, gateways)
            _print(concurrency, await measured(http, targets, concurrency))
        say("\nthe same with every read on record before its first byte, against without")
        for concurrency in LOG_CONCURRENCIES:
            targets = {"bare service": _bare(service["service"], key)}
            targets |= await with_log(http, gateways, shared=grants // buyers)
            disk = spread(await asyncio.to_thread(written_us))
            _print_log(concurrency, await measured(http, targets, concurrency))
            say(f"  a durable write of this disk alone, which a single reader waits for, µs: {disk}")


def _bare(url: str, key: str) -> Target:
    """The service itself, asked by somebody whom no gateway has to decide about; good for a minute."""
    bare = Principal(subject="advisor", name="An advisor", roles=frozenset({Role.ADVISOR}), country="JO")
    return Target([(url + PATH, None)], {"authorization": f"Bearer {Signer(key).sign(bare)}"})


async def without_log(http: aiohttp.ClientSession, gateways: Mapping[str, str]) -> dict[str, Target]:
    """The reads of a buyer, with a decision, and of an advisor, without."""
    return {
        f"{way}, {user}": Target([(gateways[way] + PATH, None)], await signed_in(http, gateways[way], user))
        for way in ("http", "inprocess")
        for user in ("buyer", "advisor")
    }


def _print(concurrency: int, found: Mapping[str, Rate]) -> None:
    say(f"\n  {concurrency} at a time")
    for name, rate in found.items():
        say(f"  {name:<20} {median(rate.per_round):>7,.0f} reads/s   µs: {rate.took_us}")
    for way in ("http", "inprocess"):
        buyer, staff, bare = found[f"{way}, buyer"], found[f"{way}, advisor"], found["bare service"]
        say(f"  {way:<10} with the decision against without it: {_ratios(buyer, staff)}")
        say(f"  {way:<10} against the bare service:             {_ratios(buyer, bare)}")


async def with_log(http: aiohttp.ClientSession, gateways: Mapping[str, str], *, shared: int) -> dict[str, Target]:
    """A buyer's reads of one report, and of the reports of a hundred factories in turn, with and without the log."""
    targets: dict[str, Target] = {}
    for way in ("http", "inprocess"):
        for name in (way, way + LOGGED):
            headers = await signed_in(http, gateways[name], "buyer")
            spread_out = [(f"{gateways[name]}/api/v1/reports/r{number}", None) for number in range(min(shared, 100))]
            targets[name] = Target([(gateways[name] + PATH, None)], headers)
            targets[f"{name}, many"] = Target(spread_out, headers)
    return targets


def written_us() -> list[float]:
    """How long durable writes of a few thousand bytes take, as a database makes them, in µs."""
    took: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(WRITES):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1e6)
    return took


def _print_log(concurrency: int, found: Mapping[str, Rate]) -> None:
    say(f"\n  {concurrency} at a time")
    for name, rate in found.items():
        say(f"  {name:<24} {median(rate.per_round):>7,.0f} reads/s   µs: {rate.took_us}")
    for way in ("http", "inprocess"):
        one, many = found[way + LOGGED], found[f"{way}{LOGGED}, many"]
        say(f"  {way:<10} one factory:   {_ratios(one, found[way])}")
        say(f"  {way:<10} many of them:  {_ratios(many, found[f'{way}, many'])}")
        say(f"  {way:<10} one factory, against the bare service: {_ratios(one, found['bare service'])}")


def _ratios(one: Rate, other: Rate) -> str:
    return f"rate {one.against(other):.2f}, median time {other.took_us.p50 / one.took_us.p50:.2f} (1 is equal)"


async def signed_in(http: aiohttp.ClientSession, url: str, user: str) -> dict[str, str]:
    """The header of a user, once the gateway answers that user."""
    async with http.post(f"{url}/dev/token", json={"user": user}) as answer:
        headers = {"authorization": f"Bearer {(await answer.json())['access_token']}"}
    for _ in range(200):
        async with http.get(url + PATH, headers=headers) as answer:
            if answer.status == 200:
                return headers
        await asyncio.sleep(0.02)
    raise RuntimeError(f"{user} cannot read")
