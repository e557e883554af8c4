"""This service's files: papers that people signed, told by their bytes and streamed in and out."""

from collections.abc import AsyncIterator
from datetime import datetime

from contracts.errors import NotFound
from services.access.domain.paper import HEAD_BYTES, LARGEST_BYTES, Paper, content_type_of
from services.runtime.files import FileMissing, Files


class Papers:
    """The files port as this service uses it."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def keep(
        self, key: str, body: AsyncIterator[bytes], *, allowed: frozenset[str], by: str, now: datetime
    ) -> Paper:
        """Stream a paper into the store; raises ``UnknownFileType`` and ``FileTooLarge``, keeping nothing then."""
        head, whole = await _head(body)
        content_type = content_type_of(head, allowed)
        stored = await self._files.put(key, whole, content_type=content_type, max_bytes=LARGEST_BYTES)
        return Paper(
            key=key, sha256=stored.sha256, size=stored.size, content_type=content_type, added_by=by, added_at=now
        )

    async def discard(self, paper: Paper) -> None:
        """Remove a paper that nothing refers to."""
        await self._files.delete(paper.key)

    async def open(self, paper: Paper) -> AsyncIterator[bytes]:
        """The bytes of a paper; raises ``NotFound`` before the first one when they are gone."""
        try:
            await self._files.stat(paper.key)
        except FileMissing:
            raise NotFound("The file is gone.") from None
        return self._files.stream(paper.key)


async def _head(body: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first bytes of a stream, and the whole stream with them."""
    head = b""
    async for chunk in body:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for chunk in body:
            yield chunk

    return head[:HEAD_BYTES], whole()
