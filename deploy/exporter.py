"""Streams what the API exports into a file: whole or not at all."""

import os
from pathlib import Path
from typing import Final

from deploy.client import Client

OPEN_TO_OTHERS: Final = 0o666
OWNER_ONLY: Final = 0o600


async def export_results(client: Client, path: Path) -> int:
    """Write the long CSV and return its size in bytes; raises ``Refused`` and leaves an older file as it was."""
    return await saved(client, "/results", path, mode=OPEN_TO_OTHERS)


async def saved(client: Client, address: str, path: Path, *, mode: int) -> int:
    """Write what is at an address and return its size in bytes; raises ``Refused`` and leaves an older file as it was.

    ``mode`` is who may read the file, as far as the user's mask allows.
    """
    unfinished = path.with_name(f".{path.name}.part")
    size = 0
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            async for chunk in client.stream(address):
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return size
