"""The body of a caller's request: streamed, counted, and given up when the caller leaves or dawdles."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from litestar.types import Receive

from contracts.errors import Refusal

MOST_BYTES: Final = 32 * 1024 * 1024
LONGEST_S: Final = 900.0
"""The longest that a whole body may take."""

STALLED_S: Final = 60.0
"""The longest pause between two pieces of a body, for the tired advisor on a bad line."""


class BodyTooLarge(Refusal):
    """More bytes than any route of STAR takes."""

    status = 413
    code = "too_large"


class BodyStalled(Refusal):
    """The caller stopped sending in the middle of the body."""

    status = 408
    code = "body_stalled"


class CallerLeft(Exception):
    """The caller closed the connection."""


class Body:
    """Reads the body once; ``failure`` says why it ended early, whatever a service made of that."""

    def __init__(self, receive: Receive, *, most_bytes: int = MOST_BYTES) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._is_over = asyncio.Event()
        self.failure: Refusal | CallerLeft | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive; raises ``BodyTooLarge``, ``BodyStalled`` and ``CallerLeft``."""
        size, ends = 0, time.monotonic() + LONGEST_S
        try:
            while not self._is_over.is_set():
                chunk, is_last = await self._chunk(min(STALLED_S, ends - time.monotonic()))
                size += len(chunk)
                if size > self._most_bytes:
                    raise BodyTooLarge(f"A body holds at most {self._most_bytes} bytes.")
                if is_last:
                    self._is_over.set()
                if chunk:
                    yield chunk
        except (Refusal, CallerLeft) as failure:
            self.failure = failure
            raise

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it is expected."""
        return self._is_over.is_set()

    def skip(self) -> None:
        """Take no notice of a body."""
        self._is_over.set()

    async def caller_left(self) -> None:
        """Return when the caller has closed the connection; begins to look once the body is read."""
        await self._is_over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _chunk(self, within_s: float) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(within_s):
                message = await self._receive()
        except TimeoutError:
            raise BodyStalled("The body did not arrive in time.") from None
        if message["type"] != "http.request":
            raise CallerLeft
        return message.get("body", b""), not message.get("more_body", False)
