"""The stores that the contract suite runs against, and what only a test may do to them."""

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from minio import Minio

from services.runtime.files import Files, StoredFile
from services.runtime.files.directory import DirectoryFiles
from services.runtime.files.s3 import S3Files
from tests.servers import S3Endpoint

BUCKET = "star-test"
ROOMY = 100 * 1024 * 1024


class Store(ABC):
    """An adapter with a way round it."""

    files: Files

    @abstractmethod
    def damage(self, key: str) -> None:
        """Change the stored bytes, but nothing of what is known about them."""

    @abstractmethod
    def neighbour(self) -> Files:
        """The files of another service in the same place."""


class DirectoryStore(Store):
    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: DirectoryFiles = DirectoryFiles(root, "assessment")

    def damage(self, key: str) -> None:
        path = next((self.root / "assessment" / key).parent.glob(f"?*~{Path(key).name}"))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def neighbour(self) -> Files:
        return DirectoryFiles(self.root, "remediation")


class S3Store(Store):
    def __init__(self, endpoint: S3Endpoint, *, bucket: str = BUCKET, prefix: str = "") -> None:
        self.bucket = bucket
        self.prefix = prefix or f"test-{uuid4().hex}"
        self.endpoint = endpoint
        self.files: S3Files = s3_files(endpoint, bucket=bucket, prefix=self.prefix)
        self.client = s3_client(endpoint)

    def damage(self, key: str) -> None:
        name = f"{self.prefix}/{key}"
        known = self.client.stat_object(self.bucket, name)
        size = known.size or 0
        metadata: dict[str, str | list[str] | tuple[str]] = {"sha256": str((known.metadata or {})["x-amz-meta-sha256"])}
        self.client.put_object(self.bucket, name, io.BytesIO(b"?" * size), size, metadata=metadata)

    def neighbour(self) -> Files:
        return s3_files(self.endpoint, bucket=self.bucket, prefix=f"{self.prefix}-neighbour")


def s3_files(endpoint: S3Endpoint, *, bucket: str = BUCKET, prefix: str = "assessment") -> S3Files:
    url = urlsplit(endpoint.url)
    secure = url.scheme == "https"
    return S3Files(url.netloc, endpoint.access_key, endpoint.secret_key, bucket=bucket, prefix=prefix, secure=secure)


def s3_client(endpoint: S3Endpoint) -> Minio:
    url = urlsplit(endpoint.url)
    secure = url.scheme == "https"
    return Minio(url.netloc, endpoint.access_key, endpoint.secret_key, secure=secure, region="us-east-1")


async def chunked(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def broken_off(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise ConnectionError("the line went dead")


async def put(
    files: Files, key: str, content: bytes, *, max_bytes: int = ROOMY, sha256: str | None = None
) -> StoredFile:
    return await files.put(key, chunked(content), content_type="text/plain", max_bytes=max_bytes, sha256=sha256)


async def read(files: Files, key: str) -> bytes:
    return b"".join([chunk async for chunk in files.stream(key)])


async def keys(files: Files, prefix: str = "") -> list[str]:
    return [key async for key in files.list(prefix)]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
