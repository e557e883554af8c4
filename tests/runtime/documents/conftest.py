"""A fresh, empty database behind each adapter of the documents port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.runtime.documents import Documents
from services.runtime.documents.sqlite import SqliteDocuments
from tests.support.stores import documents_in


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.servers)])
async def documents(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Documents]:
    """Not started: a test declares its collections first."""
    url = None if request.param == "sqlite" else request.getfixturevalue("mongo_url")
    async with documents_in(tmp_path, url) as found:
        yield found


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    """SQLite alone, for what only a file can do; not started."""
    on_file = SqliteDocuments(tmp_path / "documents.sqlite")
    yield on_file
    await on_file.stop()
