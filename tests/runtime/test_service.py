"""A service as a whole: it lets go of everything, and a process that cannot start says so in one JSON line."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.files.directory import DirectoryFiles
from services.runtime.identity import new_signing_key, verify_key_of
from services.runtime.service import Ports
from services.training.app import make_service
from tests.support.services import FAST, settings_for


class Stubborn:
    """Something that cannot be stopped."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """Fail."""
        raise RuntimeError("will not")


async def test_what_cannot_be_stopped_keeps_nothing_else_open(tmp_path: Path) -> None:
    documents = SqliteDocuments(tmp_path / "star.sqlite")
    bus = InProcessBus(documents.collection("star_messages", INDEXES), FAST)
    ports = Ports(documents=documents, files=DirectoryFiles(tmp_path / "files", "training"), bus=bus)
    service = msgspec.structs.replace(make_service(settings_for(tmp_path), ports), background=(Stubborn(),))
    await service.open()
    await service.start()
    with pytest.raises(RuntimeError, match="will not"):
        await service.close()
    with pytest.raises(RuntimeError, match="not started"):
        documents.opened()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.slow  # the driver looks for the database for some ten seconds
def test_a_process_without_its_stores_ends_and_says_why_in_one_line(tmp_path: Path) -> None:
    settings = {
        "STAR_ENVIRONMENT": "deployed",
        "STAR_DATA_FOLDER": str(tmp_path),
        "STAR_MONGO_URL": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200",
        "STAR_AMQP_URL": "amqp://127.0.0.1:9/",
        "STAR_S3_URL": "http://127.0.0.1:9",
        "STAR_S3_ACCESS_KEY": "key",
        "STAR_S3_SECRET_KEY": "secret",
        "STAR_VERIFY_KEY": verify_key_of(new_signing_key()),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "services.training"],
        env={**{k: v for k, v in os.environ.items() if not k.startswith("STAR_")}, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    *_, last = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (last["level"], last["message"]) == ("CRITICAL", "cannot go on")
    assert "exc_info" in last
