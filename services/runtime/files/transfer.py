"""How bytes come in and go out, whatever the store: counted, hashed, and never half kept."""

import hashlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Protocol, TypeVar

from services.runtime.files import ChecksumMismatch, FileTooLarge, StoredFile
from services.runtime.files.keys import check_content_type, check_key
from services.runtime.files.workers import Workers

CHUNK = 256 * 1024
"""Bytes per call into a thread: a thread switch costs about as much as hashing 64 KiB."""

Result = TypeVar("Result")


class Draft(Protocol):
    """A file that is being written and that nobody sees yet; every call blocks."""

    def write(self, chunk: bytes) -> None:
        """Append bytes."""

    def commit(self, stored: StoredFile) -> None:
        """Make the draft the stored file, durably and at once, and let go of its resources."""

    def discard(self) -> None:
        """Leave nothing of a draft that was not committed, and let go of its resources; safe to repeat."""


class Source(Protocol):
    """The open bytes of a stored file."""

    def read(self, size: int, /) -> bytes | None:
        """Read up to ``size`` bytes, none at the end."""

    def close(self) -> None:
        """Let go of the file or the connection."""


async def receive(
    workers: Workers,
    begin: Callable[[], Draft],
    announced: StoredFile,
    chunks: AsyncIterator[bytes],
    *,
    max_bytes: int,
) -> StoredFile:
    """Write a stream to a draft and commit it; whatever goes wrong, the draft is discarded.

    ``announced`` gives the key, the content type and, if not empty, the SHA-256 that the bytes must have.
    Raises ``ValueError``, ``FileTooLarge``, ``ChecksumMismatch``, and what the stream or the store raised.
    """
    check_key(announced.key)
    check_content_type(announced.content_type)
    writing = _Writing(begin)
    size, sha256 = 0, hashlib.sha256()
    try:
        async with aclosing(_gathered(chunks, max_bytes)) as gathered:
            async for chunk in gathered:
                size += len(chunk)
                sha256.update(chunk)
                await workers.run(partial(writing.write, chunk))
        stored = StoredFile(announced.key, size, sha256.hexdigest(), announced.content_type)
        _check_announced(announced.sha256, stored.sha256)
        await workers.run(lambda: writing.commit(stored))
    except BaseException:
        await workers.finish(writing.discard)
        raise
    return stored


def _check_announced(announced: str, arrived: str) -> None:
    if announced and announced.lower() != arrived:
        raise ChecksumMismatch("The bytes that arrived are not the bytes that were announced.")


async def _gathered(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Collect small chunks into larger ones; raises ``FileTooLarge`` as soon as too many bytes came."""
    size, waiting = 0, bytearray()
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise FileTooLarge(f"The file is larger than the {max_bytes} bytes allowed.")
        waiting += chunk
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


class _Writing:
    """A draft whose calls wait for each other: the write of a cancelled put may still run when it is discarded."""

    def __init__(self, begin: Callable[[], Draft]) -> None:
        self._begin = begin
        self._draft: Draft | None = None
        self._is_over = False
        self._turn = threading.Lock()

    def write(self, chunk: bytes) -> None:
        with self._turn:
            if self._is_over:
                return
            if self._draft is None:
                self._draft = self._begin()
            self._draft.write(chunk)

    def commit(self, stored: StoredFile) -> None:
        with self._turn:
            if self._draft is not None and not self._is_over:
                self._draft.commit(stored)

    def discard(self) -> None:
        with self._turn:
            self._is_over = True
            if self._draft is not None:
                self._draft.discard()


async def send(workers: Workers, open_source: Callable[[], tuple[StoredFile, Source]]) -> AsyncGenerator[bytes, None]:
    """Yield a stored file's bytes; raises ``ChecksumMismatch`` after the last one if they are not those stored."""
    reading = _Reading(open_source)
    try:
        while chunk := await workers.run(reading.read):
            yield chunk
    finally:
        reading.close()


class _Reading:
    """An open stored file that checks itself at its end, and closes only when no read is running."""

    def __init__(self, open_source: Callable[[], tuple[StoredFile, Source]]) -> None:
        self._open_source = open_source
        self._opened: tuple[StoredFile, Source] | None = None
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._is_left = False
        self._turn = threading.Lock()

    def read(self) -> bytes:
        with self._turn:
            try:
                return self._next()
            finally:
                if self._is_left:
                    self._let_go()

    def close(self) -> None:
        """Never waits: a read that runs on after its consumer left closes the source itself."""
        self._is_left = True
        if self._turn.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._turn.release()

    def _next(self) -> bytes:
        if self._opened is None:
            self._opened = self._open_source()
        stored, source = self._opened
        chunk = source.read(CHUNK) or b""
        self._size += len(chunk)
        self._sha256.update(chunk)
        if not chunk and (self._size, self._sha256.hexdigest()) != (stored.size, stored.sha256):
            raise ChecksumMismatch("The stored bytes are not the bytes that were put.")
        return chunk

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened[1].close()
