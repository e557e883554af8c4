"""What only the SQLite adapter promises: crash safety, a second process, full disks, and the use of its indexes."""

import asyncio
import resource
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from services.runtime.documents import Index
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.unavailable import StoreUnavailable

ROOT = Path(__file__).parents[3]


async def a_writing_process(path: Path) -> asyncio.subprocess.Process:
    """Insert documents for ever and print each acknowledged id."""
    module = "tests.runtime.documents.writing"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )


async def test_every_acknowledged_write_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    process = await a_writing_process(path)
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(300)]
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    acknowledged = {line.decode().strip() for line in lines if line.endswith(b"\n")}

    documents = SqliteDocuments(path)
    things = documents.collection("things")
    await documents.start()
    missing = [document_id for document_id in acknowledged if await things.get(document_id) is None]
    await documents.stop()
    assert len(acknowledged) >= 300
    assert missing == []


async def test_a_second_process_may_write_while_this_one_reads_and_writes(file: SqliteDocuments) -> None:
    process = await a_writing_process(file._path)
    assert process.stdout is not None
    things = file.collection("things")
    await file.start()
    for n in range(100):
        document_id = (await process.stdout.readline()).decode().strip()
        assert await things.get(document_id) is not None
        await things.insert({"_id": f"mine {n}", "by": "me", "n": n})
    process.kill()
    await process.communicate()
    assert await things.count({"_id": {"$gte": "mine", "$lt": "minf"}}) == 100


async def test_two_processes_may_create_the_file_at_once(tmp_path: Path) -> None:
    processes = [await a_writing_process(tmp_path / "new" / "documents.sqlite") for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline()
        process.kill()
        await process.communicate()


async def test_a_full_disk_fails_the_write_and_ping_until_there_is_room(file: SqliteDocuments) -> None:
    things = file.collection("things")
    await file.start()
    await things.insert({"_id": "before", "version": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))  # Python ignores the signal: a write fails
    try:
        big = [things.insert({"_id": f"big {n}", "text": "x" * 200_000}) for n in range(3)]
        answers = await asyncio.gather(*big, return_exceptions=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        with pytest.raises(sqlite3.Error):
            await file.ping()
        read = await things.get("before")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [isinstance(answer, StoreUnavailable) for answer in answers] == [True] * 3
    assert read == {"_id": "before", "version": 1}
    await file.ping()
    await things.insert({"_id": "after"})
    assert await things.count() == 2


async def test_ping_fails_when_the_file_is_gone(file: SqliteDocuments) -> None:
    await file.start()
    file._path.unlink()
    with pytest.raises(sqlite3.OperationalError, match="moved or deleted"):
        await file.ping()


async def test_an_unreadable_file_is_an_error_at_start(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    path.write_bytes(b"this is not a database, " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        await SqliteDocuments(path).start()


async def test_only_the_owner_may_read_the_files(file: SqliteDocuments) -> None:
    things = file.collection("things")
    await file.start()
    await things.insert({"_id": "a"})
    modes = {stat.S_IMODE(path.stat().st_mode) for path in file._path.parent.glob("documents.sqlite*")}
    assert modes == {0o600}


async def test_a_cancelled_caller_does_not_disturb_the_writer(file: SqliteDocuments) -> None:
    things = file.collection("things")
    await file.start()
    abandoned = asyncio.ensure_future(things.insert({"_id": "abandoned"}))
    await asyncio.sleep(0)
    abandoned.cancel()
    await things.insert({"_id": "next"})
    assert await things.get("next") == {"_id": "next"}


async def test_the_event_loop_runs_while_a_long_read_does(file: SqliteDocuments) -> None:
    things = file.collection("things")
    await file.start()
    await asyncio.gather(*(things.insert({"_id": str(n), "text": "x" * 20_000}) for n in range(500)))
    reading = asyncio.ensure_future(things.count({"text": {"$ne": "y"}}))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT body FROM {t} WHERE json_array_length(body, '$.\"pending\"') > 0 ORDER BY id", "things pending"),
        ("SELECT body FROM {t} WHERE json_extract(body, '$.\"code\"') = ?", "things code unique"),
    ],
)
async def test_the_index_is_used(file: SqliteDocuments, query: str, index: str) -> None:
    file.collection("things", [Index(("code",), unique=True)])
    await file.start()
    with sqlite3.connect(file._path) as connection:
        values = ["x"] * query.count("?")
        plan = str(connection.execute("EXPLAIN QUERY PLAN " + query.format(t='"things"'), values).fetchall())
    connection.close()
    assert index in plan


async def test_the_index_of_the_scan_holds_nothing_but_full_outboxes(file: SqliteDocuments) -> None:
    file.collection("things")
    await file.start()
    with sqlite3.connect(file._path) as connection:
        [(definition,)] = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'things pending'")
    connection.close()
    assert definition.endswith("WHERE json_array_length(body, '$.\"pending\"') > 0")


@pytest.mark.parametrize("index", [Index(("code",)), Index(("code",), sparse=True), Index(("code",), unique=True)])
async def test_find_enters_a_declared_index(file: SqliteDocuments, index: Index) -> None:
    things = file.collection("things", [index])
    await file.start()
    asked: list[str] = []
    connection = file.opened()._idle.get()
    connection.set_trace_callback(asked.append)
    file.opened()._idle.put(connection)
    for _ in range(4):
        await things.find({"code": {"$in": ["x", "y"]}})
    with sqlite3.connect(file._path) as other:
        plan = str(other.execute("EXPLAIN QUERY PLAN " + asked[0]).fetchall())
    other.close()
    assert "USING INDEX things code" in plan
