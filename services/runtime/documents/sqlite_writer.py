"""One thread that commits every write that is waiting in one transaction, and fails only those that are at fault."""

import asyncio
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
MOST_PER_COMMIT = 512


class _Write(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class _Outcome(NamedTuple):
    write: _Write
    value: Any
    error: Exception | None


class GroupCommit:
    """The only writer of this process on a connection in autocommit mode, which it owns from here on.

    An answered write is durable. A write that raises is rolled back alone. When the database fails a whole transaction,
    its writes are tried one by one, so that each error belongs to the write that got it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.failure: sqlite3.Error | None = None
        self._connection = connection
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="documents-writer", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Tell whether writes are still taken."""
        return self._is_open and self._thread.is_alive()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` inside the next transaction and return when it is durable; raises what ``work`` raised."""
        if not self.is_alive:
            raise RuntimeError("The documents are stopped.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Write(work, future, loop))
        return await future

    def close(self) -> None:
        """Write what was accepted, then end the thread and close the connection; blocks."""
        if self._is_open:
            self._is_open = False
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            outcomes = self._commit([first, *self._waiting()])
            self._remember(outcomes)
            _answer(outcomes)
        self._connection.close()

    def _waiting(self) -> list[_Write]:
        batch: list[_Write] = []
        while len(batch) < MOST_PER_COMMIT - 1:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                break
            if write is None:
                self._queue.put(None)  # nothing follows the end: it is found again after this commit
                break
            batch.append(write)
        return batch

    def _commit(self, batch: list[_Write]) -> list[_Outcome]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            return [_Outcome(write, None, error) for write in batch]
        try:
            outcomes = [self._apply(write) for write in batch]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - it is handed to its caller, and this thread must outlive it
            if self._connection.in_transaction:
                self._connection.rollback()
            if len(batch) == 1:
                return [_Outcome(batch[0], None, error)]
            return [outcome for write in batch for outcome in self._commit([write])]
        return outcomes

    def _apply(self, write: _Write) -> _Outcome:
        self._connection.execute("SAVEPOINT one")
        try:
            value = write.work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # a full disk makes SQLite give up the whole transaction
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return _Outcome(write, None, error)
        self._connection.execute("RELEASE one")
        return _Outcome(write, value, None)

    def _remember(self, outcomes: list[_Outcome]) -> None:
        """Keep the last word on whether the database takes writes."""
        for outcome in outcomes:
            if outcome.error is None:
                self.failure = None
            elif isinstance(outcome.error, sqlite3.Error):
                self.failure = outcome.error


def _answer(outcomes: list[_Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_loop[outcome.write.loop].append(outcome)
    for loop, answered in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answered)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _settle(outcomes: list[_Outcome]) -> None:
    for write, value, error in outcomes:
        if write.future.done():
            continue
        if error is None:
            write.future.set_result(value)
        else:
            write.future.set_exception(error)
