"""This service's files: papers that people signed, told by their bytes and streamed in and out."""

from collections.abc import AsyncIterator
from datetime import datetime

from services.access.domain.paper import HEAD_BYTES, LARGEST_BYTES, Paper, content_type_of
from services.runtime.files import Files
from services.runtime.files.streams import begun, opened


class Papers:
    """The files port as this service uses it."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def keep(
        self, key: str, body: AsyncIterator[bytes], *, allowed: frozenset[str], by: str, now: datetime
    ) -> Paper:
        """Stream a paper into the store; raises ``UnknownFileType`` and ``FileTooLarge``, keeping nothing then."""
        head, whole = await begun(body, HEAD_BYTES)
        content_type = content_type_of(head, allowed)
        stored = await self._files.put(key, whole, content_type=content_type, max_bytes=LARGEST_BYTES)
        return Paper(
            key=key, sha256=stored.sha256, size=stored.size, content_type=content_type, added_by=by, added_at=now
        )

    async def discard(self, key: str) -> None:
        """Remove a paper that nothing refers to."""
        await self._files.delete(key)

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys of every paper whose key begins so, whether a document names it or not."""
        async for key in self._files.list(prefix):
            yield key

    async def open(self, paper: Paper) -> AsyncIterator[bytes]:
        """The bytes of a paper; raises ``NotFound`` before the first one when they are gone."""
        return await opened(self._files, paper.key)
