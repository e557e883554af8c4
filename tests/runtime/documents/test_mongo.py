"""What only the MongoDB adapter promises: no call outlives its timeout, and the scan has its index."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.runtime.documents import Index
from services.runtime.documents.mongo import MongoDocuments
from services.runtime.unavailable import StoreUnavailable
from tests.servers import mongo
from tests.servers.ports import free_ports

TIMEOUT_S = 0.5
MARGIN_S = 1.5
PATIENT_S = 2.0  # a server that has just started answers slowly
UNANSWERED = StoreUnavailable


@pytest.fixture
async def silent_url() -> AsyncIterator[str]:
    """A server that takes connections and never answers."""
    opened: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: opened.append(writer), "127.0.0.1", 0)
    yield f"mongodb://127.0.0.1:{server.sockets[0].getsockname()[1]}/?directConnection=true"
    for writer in opened:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_start_fails_within_the_timeout_where_nobody_listens() -> None:
    documents = MongoDocuments(f"mongodb://127.0.0.1:{free_ports(1)[0]}", "star", timeout_s=TIMEOUT_S)
    began = time.monotonic()
    with pytest.raises(UNANSWERED):
        await documents.start()
    assert time.monotonic() - began < TIMEOUT_S + MARGIN_S
    await documents.stop()


async def test_300_calls_to_a_silent_server_all_fail_within_the_timeout(silent_url: str) -> None:
    documents = MongoDocuments(silent_url, "star", timeout_s=TIMEOUT_S)
    things = documents.collection("things")
    with pytest.raises(UNANSWERED):
        await documents.start()
    began = time.monotonic()
    answers = await asyncio.gather(*(things.get(str(n)) for n in range(300)), return_exceptions=True)
    assert time.monotonic() - began < TIMEOUT_S + MARGIN_S
    assert all(isinstance(answer, UNANSWERED) for answer in answers)
    await documents.stop()


async def test_who_calls_while_the_server_is_known_to_be_silent_hears_so_at_once(
    silent_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.documents.mongo.BRIEFLY_S", 0.01)
    documents = MongoDocuments(silent_url, "star", timeout_s=PATIENT_S)
    things = documents.collection("things")
    with pytest.raises(UNANSWERED):
        await documents.start()
    began = time.monotonic()
    for n in range(10):  # one after the other, as callers who wait for each other do
        with pytest.raises(UNANSWERED):
            await things.get(str(n))
    assert time.monotonic() - began < PATIENT_S
    await documents.stop()


@pytest.mark.servers
async def test_a_server_that_falls_silent_is_an_exception_and_its_return_is_enough(tmp_path: Path) -> None:
    with mongo(tmp_path) as server:
        if server.external:
            pytest.skip("a foreign deployment is not ours to pause")
        documents = MongoDocuments(server.url, "star", timeout_s=PATIENT_S)
        things = documents.collection("things")
        await documents.start()
        await things.insert({"_id": "a"})
        server.pause()
        began = time.monotonic()
        for call in (documents.ping(), things.get("a"), things.insert({"_id": "b"}), things.find()):
            with pytest.raises(UNANSWERED):
                await call
        assert time.monotonic() - began < 4 * (PATIENT_S + MARGIN_S)
        server.resume()
        async with asyncio.timeout(20):
            while True:
                try:
                    await documents.ping()
                    break
                except UNANSWERED:
                    await asyncio.sleep(0.1)
        assert await things.get("a") == {"_id": "a"}
        server.pause()
        began = time.monotonic()
        with pytest.raises(UNANSWERED):
            await things.get("a")
        assert time.monotonic() - began >= PATIENT_S / 2  # it has answered since, and is believed to
        server.resume()
        await documents.stop()


@pytest.mark.servers
async def test_start_creates_the_declared_indexes_and_that_of_the_scan(mongo_url: str) -> None:
    documents = MongoDocuments(mongo_url, f"star_test_{uuid4().hex}")
    documents.collection("things", [Index(("code",), unique=True, sparse=True)])
    await documents.start()
    created = await documents.documents("things").index_information()
    await documents._client.drop_database(documents._name)
    await documents.stop()
    keys = {tuple(index["key"]): (index.get("unique", False), index.get("sparse", False)) for index in created.values()}
    assert keys[("pending.id", 1),] == (False, True)
    assert keys[("code", 1),] == (True, True)


async def test_the_url_cannot_weaken_the_write_concern() -> None:
    documents = MongoDocuments("mongodb://127.0.0.1:1/?w=0&journal=false", "star", timeout_s=TIMEOUT_S)
    with pytest.raises(UNANSWERED):
        await documents.start()
    assert documents._client.write_concern.document == {"w": "majority", "j": True}
    await documents.stop()
