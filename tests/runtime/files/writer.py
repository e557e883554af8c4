"""A process that puts files in a loop until it is killed; run as ``python -m tests.runtime.files.writer ROOT SEED``."""

import asyncio
import random
import sys
from pathlib import Path

from services.runtime.files.directory import DirectoryFiles
from tests.runtime.files.stores import put

KEYS = ("a", "folder/b.pdf", "folder/c/d.pdf")


async def write_for_ever(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = DirectoryFiles(root, "assessment")
    await files.start()
    print("started", flush=True)  # noqa: T201
    while True:
        key = chance.choice(KEYS)
        if chance.random() < 0.15:
            await files.delete(key)
        else:
            await put(files, key, f"{key}:".encode() * chance.randrange(1, 60_000))


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
