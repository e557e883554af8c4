"""The files port on any S3 server, through the minio SDK, which only this file imports."""

import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import partial
from typing import TypeVar

from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError

from services.runtime.files import ChecksumMismatch, FileMissing, StoredFile
from services.runtime.files.keys import NESTED, check_key, check_prefix, folders_of
from services.runtime.files.patience import patient_pool
from services.runtime.files.tracing import operation
from services.runtime.files.transfer import Source, receive, send
from services.runtime.files.workers import Workers
from services.runtime.unavailable import StoreUnavailable

_SYSTEM = "s3"
_THREADS = 16
_PATIENCE_S = 10.0
_IN_MEMORY = 1024 * 1024
_SHA256 = "x-amz-meta-sha256"
_SERVER_AT_FAULT = 500
_AWAY = "The files cannot be reached just now."
_NESTED = {"ObjectParentIsFile", "ExistingObjectIsDirectory", "XMinioParentIsObject"}

Result = TypeVar("Result")


class _Workers(Workers):
    """Threads in which what the SDK and urllib3 raise of an absent server becomes ``StoreUnavailable``."""

    async def run(self, call: Callable[[], Result]) -> Result:
        """See ``Workers.run``."""
        try:
            return await super().run(call)
        except S3Error as error:
            if error.response.status < _SERVER_AT_FAULT:
                raise
            raise StoreUnavailable(_AWAY) from error
        except (HTTPError, InvalidResponseError, ServerError, TimeoutError) as error:
            raise StoreUnavailable(_AWAY) from error


class S3Files:
    """Files under ``prefix`` in a bucket of the S3 server at ``endpoint`` (host and port).

    A server that is dead, unreachable or silent costs a caller at most about fifteen seconds and
    ``StoreUnavailable``. A put is spooled to the temporary folder first: nothing is sent before all of
    it arrived, fits, and has the announced checksum.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        *,
        bucket: str,
        prefix: str,
        secure: bool,
        region: str = "us-east-1",
    ) -> None:
        self._http = patient_pool(2 * _THREADS)
        self._client = Minio(endpoint, access_key, secret_key, secure=secure, region=region, http_client=self._http)
        self._bucket = bucket
        self._prefix = check_key(prefix) + "/"
        self._workers = _Workers("s3", size=_THREADS, patience_s=_PATIENCE_S)

    async def start(self) -> None:
        """Create the bucket unless it is there; raises ``S3Error`` when it is neither there nor allowed."""
        await self._workers.run(self._claim_bucket)

    async def stop(self) -> None:
        """Let go of the connections and the threads."""
        self._workers.stop()
        self._http.clear()

    async def ping(self) -> None:
        """Return when the server answered for the bucket; raises when it did not or the bucket is gone."""
        if not await self._workers.run(partial(self._client.bucket_exists, self._bucket)):
            raise FileMissing("The bucket does not exist.")

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
        begin = partial(_S3Draft, self._client, self._bucket, self._prefix)
        with operation("put", system=_SYSTEM):
            return await receive(self._workers, begin, announced, chunks, max_bytes=max_bytes)

    async def stat(self, key: str) -> StoredFile:
        """See ``Files.stat``; raises ``ChecksumMismatch`` for an object that was stored without a checksum."""
        name = self._name(key)
        with operation("stat", system=_SYSTEM):
            return await self._workers.run(partial(self._stat, key, name))

    async def stream(self, key: str) -> AsyncGenerator[bytes, None]:
        """See ``Files.stream``; an overwrite or delete meanwhile does not mix two versions."""
        name = self._name(key)
        with operation("stream", system=_SYSTEM):
            async with contextlib.aclosing(send(self._workers, partial(self._open, key, name))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def delete(self, key: str) -> bool:
        """See ``Files.delete``; of two at the same time both may have found the file."""
        name = self._name(key)
        with operation("delete", system=_SYSTEM):
            return await self._workers.run(partial(self._remove, name))

    async def list(self, prefix: str = "") -> AsyncGenerator[str, None]:
        """See ``Files.list``; objects of others whose names are no keys are left out."""
        check_prefix(prefix)
        with operation("list", system=_SYSTEM):
            async with contextlib.aclosing(self._workers.iterate(self._names(prefix))) as keys:
                async for key in keys:
                    yield key

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _claim_bucket(self) -> None:
        if self._client.bucket_exists(self._bucket):
            return
        try:
            self._client.make_bucket(self._bucket)
        except S3Error:
            if not self._client.bucket_exists(self._bucket):  # else another process was faster
                raise

    def _stat(self, key: str, name: str) -> StoredFile:
        with _missing_is_told():
            found = self._client.stat_object(self._bucket, name)
        headers = found.metadata or {}
        return _described(key, found.size, headers.get(_SHA256), found.content_type)

    def _open(self, key: str, name: str) -> tuple[StoredFile, Source]:
        with _missing_is_told():
            response = self._client.get_object(self._bucket, name)
        try:
            length = int(response.headers["content-length"])
            content_type = response.headers.get("content-type")
            return _described(key, length, response.headers.get(_SHA256), content_type), response
        except BaseException:
            response.close()
            raise

    def _remove(self, name: str) -> bool:
        try:
            self._stat("", name)
        except FileMissing:
            return False
        except ChecksumMismatch:
            pass  # not put by this port, but there
        self._client.remove_object(self._bucket, name)
        return True

    def _names(self, prefix: str) -> Iterator[str]:
        for found in self._client.list_objects(self._bucket, prefix=self._prefix + prefix, recursive=True):
            key = (found.object_name or "").removeprefix(self._prefix)
            with contextlib.suppress(ValueError):
                yield check_key(key)


class _S3Draft:
    """The bytes in a spool on this machine; committing is the upload, which a server shows whole or not at all."""

    def __init__(self, client: Minio, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed by commit or discard)

    def write(self, chunk: bytes) -> None:
        self._spool.write(chunk)

    def commit(self, stored: StoredFile) -> None:
        self._spool.seek(0)
        try:
            self._refuse_nested(stored.key)
            self._client.put_object(
                self._bucket,
                self._prefix + stored.key,
                self._spool,  # type: ignore[arg-type]  # all the SDK needs of a BinaryIO is read()
                stored.size,
                content_type=stored.content_type,
                metadata={"sha256": stored.sha256},
                num_parallel_uploads=1,  # several would hold as many parts in memory
            )
        except S3Error as error:
            if error.code in _NESTED:
                raise ValueError(NESTED) from error
            raise
        self._spool.close()

    def discard(self) -> None:
        self._spool.close()

    def _refuse_nested(self, key: str) -> None:
        """Servers differ: some refuse, MinIO accepts and then leaves the file below out of every list."""
        below = self._client.list_objects(self._bucket, prefix=f"{self._prefix}{key}/", recursive=True)
        if next(below, None) is not None or any(self._holds(folder) for folder in folders_of(key)):
            raise ValueError(NESTED)

    def _holds(self, key: str) -> bool:
        try:
            with _missing_is_told():
                self._client.stat_object(self._bucket, self._prefix + key)
        except FileMissing:
            return False
        return True


@contextlib.contextmanager
def _missing_is_told() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code == "NoSuchKey":
            raise FileMissing("There is no such file.") from error
        raise


def _described(key: str, size: int | None, sha256: str | None, content_type: str | None) -> StoredFile:
    if size is None or not sha256:
        raise ChecksumMismatch("The object was stored without a checksum.")
    return StoredFile(key, size, sha256, content_type or "application/octet-stream")
