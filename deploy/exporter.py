"""Streams all finalised results into a file: whole or not at all."""

import os
from pathlib import Path

from deploy.client import Client


async def export_results(client: Client, path: Path) -> int:
    """Write the long CSV and return its size in bytes; raises ``Refused`` and leaves an older file as it was."""
    unfinished = path.with_name(f".{path.name}.part")
    size = 0
    try:
        with unfinished.open("wb") as file:
            async for chunk in client.stream("/results"):
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return size
