"""Measure how much group commit gains: ``python -m tests.runtime.documents.bench [folder on the disk to measure]``."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from services.runtime.documents import Collection, Index
from services.runtime.documents.sqlite import SqliteDocuments

WRITES = 2_000
AT_ONCE = (1, 8, 64, 512)


async def writes_per_second(things: Collection, at_once: int) -> float:
    """Insert a fixed number of documents of about 1 kB, this many at once."""
    numbers = iter(range(WRITES))

    async def write() -> None:
        for n in numbers:
            document_id = f"{at_once} {n:06}"
            await things.insert(
                {"_id": document_id, "version": 1, "code": document_id, "text": "x" * 1000, "pending": []}
            )

    began = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(at_once)))
    return WRITES / (time.perf_counter() - began)


async def main(folder: Path) -> None:
    """Print the rates, and each as a multiple of writing one by one."""
    documents = SqliteDocuments(folder / "bench.sqlite")
    things = documents.collection("things", [Index(("code",), unique=True)])
    await documents.start()
    rates = {at_once: await writes_per_second(things, at_once) for at_once in AT_ONCE}
    await documents.stop()
    for at_once, rate in rates.items():
        sys.stdout.write(f"{at_once:>4} at once: {rate:>7.0f} writes/s, {rate / rates[1]:>5.1f} times one by one\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        asyncio.run(main(Path(temporary)))
