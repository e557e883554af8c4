"""A store of documents for one test, in a file or on the real server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from services.runtime.documents import Documents
from services.runtime.documents.sqlite import SqliteDocuments


@asynccontextmanager
async def documents_in(folder: Path, mongo_url: str | None = None) -> AsyncIterator[Documents]:
    """Not started, because collections are declared first; with ``mongo_url`` in a database of its own there."""
    if mongo_url is None:
        on_file = SqliteDocuments(folder / "documents.sqlite")
        yield on_file
        await on_file.stop()
        return
    from services.runtime.documents.mongo import MongoDocuments  # noqa: PLC0415 - heavy, and not for every run

    name = f"star_test_{uuid4().hex}"
    on_server = MongoDocuments(mongo_url, name)
    yield on_server
    await on_server.start()
    await on_server._client.drop_database(name)
    await on_server.stop()
