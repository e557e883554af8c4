"""Runs an import in processes of its own and samples what it costs."""

import asyncio
import hashlib
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from deploy.client import Client
from deploy.demo.load import publish, register
from deploy.demo.results import write_results
from tests.bench.sending import Told
from tests.support.star import StarRun, environment, memory_mib

ROOT = Path(__file__).resolve().parents[2]
QUARTERS = (0.25, 0.5, 0.75, 1.0)


class Sample(msgspec.Struct, frozen=True):
    """Rows sent, the time they took, and the highest memory of client and server until then."""

    share: float
    rows: int
    seconds: float
    client_mib: float
    server_mib: float


class Measured(msgspec.Struct, frozen=True):
    """An import: its samples per quarter of the file, how long rows and completion took, and the peaks in the end."""

    samples: list[Sample]
    rows: int
    rows_s: float
    completion_s: float
    visits: int
    rejected: int
    client_mib: float
    server_mib: float

    @property
    def rows_per_s(self) -> float:
        """Answers recorded per second, completion not counted."""
        return self.rows / self.rows_s

    @property
    def second_half(self) -> float:
        """The rate on the second half of the file against that on the first."""
        middle, end = self.samples[1], self.samples[3]
        return (end.rows - middle.rows) / (end.seconds - middle.seconds) / (middle.rows / middle.seconds)


async def prepared(star: StarRun, factories: int) -> Any:
    """Publish the demo questionnaire and register factories; returns the questionnaire."""
    async with star.as_user() as admin:
        questionnaire = await publish(admin)
        await register(admin, factories=factories, buyers=1)
        return questionnaire


def written(path: Path, questionnaire: Any, *, factories: int, cycles: int) -> int:
    """Write a results file; returns its rows."""
    return write_results(path, questionnaire, factories=factories, cycles=cycles)


async def measured(star: StarRun, path: Path, *, is_completed: bool = True) -> Measured:
    """Import the file with a client process and sample both processes at each quarter of the rows.

    Unless ``is_completed`` the client is ended when the last row is recorded.
    """
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.sending", star.url, str(path)),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    )
    assert client.stdout is not None
    samples: list[Sample] = []
    memory = 0.0, 0.0
    told = [Told(0, 0, 0, 0, 0)]
    async for line in client.stdout:
        told.append(msgspec.json.decode(line, type=Told))
        last = told[-1]
        memory = memory_mib(client.pid, "VmHWM"), memory_mib(star.process.pid, "VmHWM")
        while len(samples) < len(QUARTERS) and last.total and last.lines >= last.total * QUARTERS[len(samples)]:
            samples.append(Sample(QUARTERS[len(samples)], last.lines, last.at_s - told[1].at_s, *memory))
        if len(samples) == len(QUARTERS) and not is_completed:
            client.kill()
    if await client.wait() and is_completed:
        raise RuntimeError("The client failed.")
    rows_done = next(each for each in told if each.total and each.lines == each.total)
    return Measured(
        samples,
        rows=rows_done.lines,
        rows_s=rows_done.at_s - told[1].at_s,
        completion_s=told[-1].at_s - rows_done.at_s,
        visits=told[-1].finalised,
        rejected=told[-1].rejected,
        client_mib=memory[0],
        server_mib=memory[1],
    )


async def sent_in_requests(admin: Client, path: Path, requests: Iterator[tuple[int, bytes]]) -> float:
    """Send rows request by request, (first line, rows) each; returns the seconds."""
    content = await asyncio.to_thread(path.read_bytes)
    header = content.split(b"\r\n", 1)[0].decode().split(",")
    sha256 = hashlib.sha256(content).hexdigest()
    started = await admin.post("/imports", {"file_sha256": sha256, "header": header})
    began = time.perf_counter()
    for first_line, rows in requests:
        url = f"/imports/{started['id']}/rows?first_line={first_line}"
        await admin.post(url, data=rows, media_type="text/csv")
    return time.perf_counter() - began


def by_visit(path: Path) -> Iterator[tuple[int, bytes]]:
    """The rows of a demo results file, a request per visit."""
    rows = path.read_bytes().split(b"\r\n")[1:-1]
    line = 2
    for _, group in itertools.groupby(rows, key=lambda row: row.split(b",", 4)[3]):
        visit = list(group)
        yield line, b"\r\n".join(visit)
        line += len(visit)


def by_row(path: Path) -> Iterator[tuple[int, bytes]]:
    """The rows of a demo results file, a request per row."""
    yield from enumerate(path.read_bytes().split(b"\r\n")[1:-1], start=2)
