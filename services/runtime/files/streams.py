"""What services do with the streams of the files port: look at how one begins, and open one or say that it is gone."""

from collections.abc import AsyncIterator

from contracts.errors import NotFound
from services.runtime.files import FileMissing, Files


async def begun(body: AsyncIterator[bytes], size: int) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first ``size`` bytes of a stream, fewer when it is shorter, and the whole stream with them."""
    head = b""
    async for chunk in body:
        head += chunk
        if len(head) >= size:
            break

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for chunk in body:
            yield chunk

    return head[:size], whole()


async def opened(files: Files, key: str) -> AsyncIterator[bytes]:
    """The bytes under a key; raises ``NotFound`` before the first one when they are gone."""
    try:
        await files.stat(key)
    except FileMissing:
        raise NotFound("The file is gone.") from None
    return files.stream(key)
