"""The files port: whole files under a key, checked by SHA-256, streamed in and out."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

import msgspec

from contracts.errors import Refusal


class FileMissing(Exception):
    """No file is stored under the key."""


class FileTooLarge(Refusal):
    """More bytes arrived than the caller allowed; nothing was kept."""

    status = 413
    code = "too_large"


class ChecksumMismatch(Exception):
    """The bytes do not have the SHA-256 that was announced, and nothing was kept; or those stored are damaged."""


class StoredFile(msgspec.Struct, frozen=True):
    """What is known of a stored file; ``size`` in bytes, ``sha256`` in lower-case hex."""

    key: str
    size: int
    sha256: str
    content_type: str


class Files(Protocol):
    """One service's prefix in a store of files.

    Keys are ``/``-separated words of ``[A-Za-z0-9._-]``, at most 200 characters a word and 700 in all; ``.`` and
    ``..`` are no words, and no file's key may lie under another file's key (``a`` and ``a/b``), because S3 servers
    refuse or hide it. Anything else raises ``ValueError``.
    """

    async def start(self) -> None:
        """Connect and create what the store needs (bucket, folder)."""

    async def stop(self) -> None:
        """Let go of every resource."""

    async def ping(self) -> None:
        """Return when the store answered; raise when it cannot serve."""

    async def put(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        max_bytes: int,
        sha256: str | None = None,
    ) -> StoredFile:
        """Store a stream whole or not at all, durably, replacing what was there.

        Raises ``FileTooLarge`` beyond ``max_bytes``, ``ChecksumMismatch`` against an announced ``sha256``,
        ``ValueError`` for a key or content type that cannot be stored, and whatever the stream raised. When the
        store itself fails, the older version or the new one is kept, never a mixture. If the caller is cancelled
        after its last chunk, the file may still be stored.
        Memory stays flat whatever the size.
        """

    async def stat(self, key: str) -> StoredFile:
        """Tell what is stored under the key without reading the bytes; raises ``FileMissing``."""

    def stream(self, key: str) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of one version, whatever is put or deleted meanwhile.

        Raises ``FileMissing`` before the first chunk and ``ChecksumMismatch`` after the last one of damaged bytes:
        what came before must not be trusted until the iteration has ended. The file or connection is let go
        of at the end, and when the iterator is closed or dropped earlier.
        """

    async def delete(self, key: str) -> bool:
        """Remove the file; tell whether there was one."""

    def list(self, prefix: str = "") -> AsyncGenerator[str, None]:
        """Yield the keys that begin with ``prefix``, which may end inside a word, in the order of their code points."""
