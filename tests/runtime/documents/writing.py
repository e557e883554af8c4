"""A process that inserts documents into a SQLite file until it is killed, and prints each acknowledged id."""

import asyncio
import os
import sys
from pathlib import Path

from services.runtime.documents import Index
from services.runtime.documents.sqlite import SqliteDocuments


async def main(path: Path) -> None:
    """Write with 20 tasks at once."""
    documents = SqliteDocuments(path)
    things = documents.collection("things", [Index(("by", "n"), unique=True)])
    await documents.start()

    async def write(task: int) -> None:
        n = 0
        while True:
            n += 1
            document_id = f"{os.getpid()} {task} {n}"
            await things.insert({"_id": document_id, "by": f"{os.getpid()} {task}", "n": n})
            sys.stdout.write(f"{document_id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write(task) for task in range(20)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
