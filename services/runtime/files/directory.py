"""The files port on a folder: each version is a plain file of its own, and one small record names the current one."""

import contextlib
import errno
import fcntl
import os
import secrets
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from services.runtime.files import ChecksumMismatch, FileMissing, StoredFile
from services.runtime.files.folder import (
    Record,
    bytes_path,
    flush_and_close,
    fsync_folder,
    keys_under,
    make_folder,
    read_record,
    record_path,
    sweep,
    write_private,
)
from services.runtime.files.keys import NESTED, check_key, check_prefix, folders_of
from services.runtime.files.tracing import operation
from services.runtime.files.transfer import Source, receive, send
from services.runtime.files.workers import Workers
from services.runtime.unavailable import StoreUnavailable

_SYSTEM = "directory"
_THREADS = 8
_PATIENCE_S = 15.0
_LOCK = "~~lock"
_OVERWRITES_WHILE_OPENING = 20
_LEAST_FREE_BYTES = 1024 * 1024
_DISK_AT_FAULT = {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EROFS}

Result = TypeVar("Result")


class _Workers(Workers):
    """Threads in which a disk that is full, broken or read-only becomes ``StoreUnavailable``."""

    async def run(self, call: Callable[[], Result]) -> Result:
        """See ``Workers.run``."""
        try:
            return await super().run(call)
        except OSError as error:
            if error.errno not in _DISK_AT_FAULT:
                raise
            raise StoreUnavailable("The files cannot be read or written just now.") from error


class DirectoryFiles:
    """Files under ``root/prefix``; several processes may share it, and it survives the death of any at any moment."""

    def __init__(self, root: Path, prefix: str) -> None:
        self._folder = root.absolute() / check_key(prefix)
        self._workers = _Workers("files", size=_THREADS, patience_s=_PATIENCE_S)
        self._swap = threading.Lock()
        self._lock: int | None = None

    async def start(self) -> None:
        """Create the folder and sweep away what a killed process left, unless another process is at work in it."""
        if self._lock is None:
            self._lock = await self._workers.run(self._enter)

    async def stop(self) -> None:
        """Let go of the folder and the threads."""
        self._workers.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def ping(self) -> None:
        """Return when the folder is there, writable and not full; raises ``OSError``."""
        await self._workers.run(self._probe)

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        max_bytes: int,
        sha256: str | None = None,
    ) -> StoredFile:
        """See ``Files.put``."""
        announced = StoredFile(key, 0, sha256 or "", content_type)
        begin = partial(_DirectoryDraft, self._folder, key, self._swap)
        with operation("put", system=_SYSTEM):
            return await receive(self._workers, begin, announced, chunks, max_bytes=max_bytes)

    async def stat(self, key: str) -> StoredFile:
        """See ``Files.stat``; raises ``ChecksumMismatch`` when the record is damaged."""
        check_key(key)
        with operation("stat", system=_SYSTEM):
            return (await self._workers.run(partial(read_record, self._folder, key))).described(key)

    async def stream(self, key: str) -> AsyncGenerator[bytes, None]:
        """See ``Files.stream``; an overwrite or delete meanwhile does not disturb it."""
        check_key(key)
        with operation("stream", system=_SYSTEM):
            async with contextlib.aclosing(send(self._workers, partial(self._open, key))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def delete(self, key: str) -> bool:
        """See ``Files.delete``."""
        check_key(key)
        with operation("delete", system=_SYSTEM):
            return await self._workers.run(partial(self._remove, key))

    async def list(self, prefix: str = "") -> AsyncGenerator[str, None]:
        """See ``Files.list``."""
        check_prefix(prefix)
        with operation("list", system=_SYSTEM):
            keys = self._workers.iterate(keys_under(self._folder, prefix))
            async with contextlib.aclosing(keys):
                async for key in keys:
                    yield key

    def _enter(self) -> int:
        make_folder(self._folder)
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(BlockingIOError):  # somebody works here: what looks stale may be in use
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sweep(self._folder)
            fcntl.flock(lock, fcntl.LOCK_SH)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _probe(self) -> None:
        os.utime(self._folder / _LOCK)  # fails on a folder that is gone or was remounted read-only
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < _LEAST_FREE_BYTES:
            raise OSError("The disk that holds the files is full.")

    def _open(self, key: str) -> tuple[StoredFile, Source]:
        for _ in range(_OVERWRITES_WHILE_OPENING):
            record = read_record(self._folder, key)
            with contextlib.suppress(FileNotFoundError):  # replaced since the record was read, or lost
                path = bytes_path(self._folder, key, record.version)
                return record.described(key), path.open("rb", buffering=0)
        raise ChecksumMismatch("The stored bytes are gone.")

    def _remove(self, key: str) -> bool:
        path = record_path(self._folder, key)
        with self._swap:
            try:
                version = read_record(self._folder, key).version
            except FileMissing:
                return False
            except ChecksumMismatch:
                version = None  # a damaged record can be deleted; the next start sweeps its bytes
            path.unlink(missing_ok=True)
        fsync_folder(path.parent)
        if version is not None:
            bytes_path(self._folder, key, version).unlink(missing_ok=True)
        return True


class _DirectoryDraft:
    """The bytes under a name that no record mentions; committing is the one rename that puts a record in place."""

    def __init__(self, folder: Path, key: str, swap: threading.Lock) -> None:
        self._folder = folder
        self._key = key
        self._swap = swap
        self._version = secrets.token_hex(16)
        self._bytes = bytes_path(folder, key, self._version)
        self._new_record = bytes_path(folder, key, f"{self._version}.new")
        self._is_named = False
        make_folder(self._bytes.parent)
        self._file = write_private(self._bytes)

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)

    def commit(self, stored: StoredFile) -> None:
        flush_and_close(self._file)
        record = Record(self._version, stored.size, stored.sha256, stored.content_type)
        with write_private(self._new_record) as file:
            file.write(msgspec.json.encode(record))
            flush_and_close(file)
        # The bytes must be found after a power cut before the record that speaks of them can be.
        fsync_folder(self._bytes.parent)
        with self._swap:
            self._refuse_nested()
            replaced = self._current_version()
            self._new_record.replace(record_path(self._folder, self._key))
            self._is_named = True
        fsync_folder(self._bytes.parent)
        if replaced is not None:
            with contextlib.suppress(OSError):  # the new version is safe; the next start sweeps the old one
                bytes_path(self._folder, self._key, replaced).unlink()

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # closing flushes, and the disk may be full
            self._file.close()
        if not self._is_named:
            self._new_record.unlink(missing_ok=True)
            self._bytes.unlink(missing_ok=True)

    def _refuse_nested(self) -> None:
        above = any(record_path(self._folder, folder).exists() for folder in folders_of(self._key))
        if above or next(keys_under(self._folder / self._key, ""), None) is not None:
            raise ValueError(NESTED)

    def _current_version(self) -> str | None:
        try:
            return read_record(self._folder, self._key).version
        except (FileMissing, ChecksumMismatch):
            return None
