"""A fresh, empty database behind each adapter of the documents port."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.runtime.documents import Documents
from services.runtime.documents.sqlite import SqliteDocuments


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.servers)])
async def documents(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Documents]:
    """Not started: a test declares its collections first."""
    if request.param == "sqlite":
        on_file = SqliteDocuments(tmp_path / "documents.sqlite")
        yield on_file
        await on_file.stop()
        return
    from services.runtime.documents.mongo import MongoDocuments  # noqa: PLC0415 - heavy, and not for every run

    name = f"star_test_{uuid4().hex}"
    on_server = MongoDocuments(request.getfixturevalue("mongo_url"), name)
    yield on_server
    await on_server.start()
    await on_server._client.drop_database(name)
    await on_server.stop()


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    """SQLite alone, for what only a file can do; not started."""
    on_file = SqliteDocuments(tmp_path / "documents.sqlite")
    yield on_file
    await on_file.stop()
