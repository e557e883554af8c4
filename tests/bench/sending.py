"""The client process of a measured import: ``python -m tests.bench.sending URL FILE``; tells progress as JSON lines."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from deploy.client import client_of
from deploy.importer import Progress, import_results
from deploy.results_file import Rejection


class Told(msgspec.Struct, frozen=True):
    """How far it was and when, in seconds since it began."""

    at_s: float
    lines: int
    total: int
    finalised: int
    rejected: int


async def main(url: str, path: Path) -> None:
    """Import the file."""
    began = time.perf_counter()

    def report(progress: Progress, _: Sequence[Rejection]) -> None:
        at_s = time.perf_counter() - began
        told = Told(at_s, progress.lines, progress.total, progress.finalised, progress.rejected)
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        sys.stdout.flush()

    async with client_of(url, "admin") as admin:
        await import_results(admin, path, report)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
