"""The documents port on one SQLite file: the embedded default, for this process and a command line beside it."""

import asyncio
import queue
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from services.runtime.documents import Collection, Document, DuplicateKey, Filter, Index, Sort
from services.runtime.documents.collection import CheckedCollection
from services.runtime.documents.sqlite_query import (
    HAS_PENDING,
    decode,
    definitions,
    encode,
    escaped,
    order_clause,
    table,
    where_clause,
)
from services.runtime.documents.sqlite_writer import GroupCommit
from services.runtime.unavailable import StoreUnavailable

T = TypeVar("T")
READERS = 2
BUSY_TIMEOUT_S = 10.0
"""How long a write waits for another process that is writing."""


class SqliteDocuments:
    """Documents in the file at ``path``, made with its folder when missing, readable by its owner only.

    Writes are durable (WAL, ``synchronous=FULL``) and committed in groups; reads see every acknowledged write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._declared: dict[str, list[Index]] = {}
        self._open: _Open | None = None

    async def start(self) -> None:
        """Open the file and create what is missing; safe to repeat."""
        if self._open is None:
            self._open = await asyncio.to_thread(_Open, self._path)
        await self._open.writer.write(self._define)

    async def stop(self) -> None:
        """Commit what was accepted and close the file; raises nothing when stopped already."""
        opened, self._open = self._open, None
        if opened is not None:
            await asyncio.to_thread(opened.close)

    async def ping(self) -> None:
        """Return when a read was answered; after a failed write, only when a write succeeds again."""
        opened = self.opened()
        await opened.read(lambda connection: _all(connection, "SELECT count(*) FROM sqlite_master"))
        if not opened.is_in_place():
            raise sqlite3.OperationalError("The database file was moved or deleted.")
        if opened.writer.failure is not None:
            await opened.writer.write(lambda connection: _all(connection, "PRAGMA user_version = 0"))

    def collection(self, name: str, indexes: Sequence[Index] = ()) -> Collection:
        """Declare a collection; raises ``ValueError`` for a name or path outside the port's alphabet."""
        declared = self._declared.setdefault(name, [])
        declared += [index for index in indexes if index not in declared]
        definitions(name, declared)
        return CheckedCollection(_SqliteStore(self, name), name=name, system="sqlite")

    def opened(self) -> "_Open":
        """The open file; raises ``RuntimeError`` before ``start`` and after ``stop``."""
        if self._open is None:
            raise RuntimeError("The documents are not started.")
        return self._open

    def _define(self, connection: sqlite3.Connection) -> None:
        for name, indexes in self._declared.items():
            for statement in definitions(name, indexes):
                connection.execute(statement)


class _Open:
    """The connections to one file: one that writes, and one for each reading thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # SQLite gives its WAL the same mode
        self._path = path
        self._identity = _identity(path)
        writing = _connect(path)
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(READERS):
            self._idle.put(_connect(path, "PRAGMA query_only = ON"))
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="documents-reader")
        self.writer = GroupCommit(writing)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` beside the event loop on what is committed."""
        if not self.writer.is_alive:
            raise RuntimeError("The documents are stopped.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def is_in_place(self) -> bool:
        """Tell whether the path still names the file that is open."""
        try:
            return _identity(self._path) == self._identity
        except OSError:
            return False

    def close(self) -> None:
        """Finish what was accepted and close every connection; blocks."""
        self._readers.shutdown(wait=True)
        for _ in range(READERS):
            self._idle.get_nowait().close()
        self.writer.close()  # the last to close folds the WAL into the file

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._idle.get_nowait()
        try:
            return work(connection)
        finally:
            self._idle.put(connection)


@contextmanager
def _in_reach() -> Iterator[None]:
    """Say in the port's words that the disk is full, broken or read-only, or the file locked for too long."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreUnavailable("The documents cannot be read or written just now.") from error


class _SqliteStore:
    def __init__(self, database: SqliteDocuments, name: str) -> None:
        self._database = database
        self._table = table(name)

    async def get(self, document_id: str) -> Document | None:
        found = await self._select("WHERE id = ?", [escaped(document_id)])
        return found[0] if found else None

    async def insert(self, document: Document) -> None:
        statement = f"INSERT INTO {self._table} (id, version, body) VALUES (?, ?, ?)"  # noqa: S608 - a checked name
        await self._change(statement, [escaped(document["_id"]), document.get("version"), encode(document)])

    async def replace(self, document: Document, *, if_version: int) -> bool:
        statement = f"UPDATE {self._table} SET version = ?, body = ? WHERE id = ? AND version = ?"  # noqa: S608
        values = [document["version"], encode(document), escaped(document["_id"]), if_version]
        return await self._change(statement, values) == 1

    async def delete(self, document_id: str) -> bool:
        return await self._change(f"DELETE FROM {self._table} WHERE id = ?", [escaped(document_id)]) == 1  # noqa: S608

    async def fetch(self, where: Filter, order: Sort, limit: int) -> list[Document]:
        condition, values = where_clause(where)
        return await self._select(f"WHERE {condition} ORDER BY {order_clause(order)} LIMIT ?", [*values, limit])

    async def count(self, where: Filter) -> int:
        condition, values = where_clause(where)
        query = f"SELECT count(*) FROM {self._table} WHERE {condition}"  # noqa: S608 - values are parameters
        with _in_reach():
            rows = await self._database.opened().read(lambda connection: _all(connection, query, values))
        return int(rows[0][0])

    async def holding_pending(self, limit: int) -> list[Document]:
        return await self._select(f"WHERE {HAS_PENDING} ORDER BY id LIMIT ?", [limit])

    async def discard_pending(self, document_id: str, message_ids: Sequence[str]) -> None:
        discarded = frozenset(message_ids)

        def discard(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                f"SELECT body FROM {self._table} WHERE id = ?",  # noqa: S608
                [escaped(document_id)],
            ).fetchone()
            document = decode(row[0]) if row else {}
            pending = document.get("pending") or []
            document["pending"] = [message for message in pending if message["id"] not in discarded]
            if len(document["pending"]) < len(pending):
                connection.execute(
                    f"UPDATE {self._table} SET body = ? WHERE id = ?",  # noqa: S608
                    [encode(document), escaped(document_id)],
                )

        with _in_reach():
            await self._database.opened().writer.write(discard)

    async def _select(self, clause: str, values: Sequence[object]) -> list[Document]:
        query = f"SELECT body FROM {self._table} {clause}"  # noqa: S608 - values are parameters

        def select(connection: sqlite3.Connection) -> list[Document]:
            return [decode(row[0]) for row in _all(connection, query, values)]

        with _in_reach():
            return await self._database.opened().read(select)

    async def _change(self, statement: str, values: Sequence[object]) -> int:
        def change(connection: sqlite3.Connection) -> int:
            try:
                return connection.execute(statement, values).rowcount
            except sqlite3.IntegrityError:
                # SQLite's message is not passed on: with it, a value could reach a log.
                raise DuplicateKey("The id, or a value that must be unique, is taken already.") from None

        with _in_reach():
            return await self._database.opened().writer.write(change)


def _connect(path: Path, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.text_factory = bytes
    for pragma in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA journal_size_limit = 67108864",
        "PRAGMA temp_store = MEMORY",  # what is sorted stays out of the temporary folder
        *pragmas,
    ):
        connection.execute(pragma)
    return connection


def _all(connection: sqlite3.Connection, query: str, values: Iterable[object] = ()) -> list[tuple[bytes, ...]]:
    return connection.execute(query, tuple(values)).fetchall()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
