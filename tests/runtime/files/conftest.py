"""The three stores of the contract suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runtime.files.stores import DirectoryStore, S3Store, Store

SERVERS = pytest.mark.servers


@pytest.fixture(params=["directory", pytest.param("minio", marks=SERVERS), pytest.param("versitygw", marks=SERVERS)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    started: Store
    if request.param == "directory":
        started = DirectoryStore(tmp_path)
    else:
        started = S3Store(request.getfixturevalue(f"{request.param}_endpoint"))
    await started.files.start()
    yield started
    await started.files.stop()
