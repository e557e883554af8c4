"""Putting reads on record before they are answered: the reads of concurrent requests go to access together.

While a batch is on its way the next one gathers, so that many readers share one durable write, and a single one waits
for nobody. A read that is not known to be on record is not answered. The other way round it can happen: a gateway that
dies between the record and the answer, or a caller who leaves there, leaves a record of a read that was about to be.
"""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
import stamina
from opentelemetry import trace
from uuid_utils import uuid7

from contracts.errors import Refusal
from contracts.reads import MOST_READS, Read
from gateway.signing import Signatures, itself
from gateway.upstream import Outgoing, Upstream, UpstreamDown
from services.runtime.identity import Signer
from services.runtime.periodic import ended
from services.runtime.settings import Settings

logger = logging.getLogger(__name__)

WAIT_S: Final = 3.0
"""The longest that a reader waits for the record, and that a batch is tried for."""

MOST_BYTES: Final = 1024 * 1024
"""Of one batch, unless it is a single read."""

MOST_WAITING: Final = 20_000
_PATH: Final = "/internal/reads"
_PASSING: Final = (ConnectionError, UpstreamDown)


class ReadNotRecorded(Refusal):
    """The read cannot be put on record just now, so it is not answered."""

    status = 503
    code = "read_not_recorded"


class ReadSink(Protocol):
    """Where reads are put on record."""

    async def put(self, batch: bytes) -> None:
        """Return when all of a ``ReadBatch`` (JSON) is durable; the same batch again changes nothing.

        Raises ``ConnectionError`` and ``UpstreamDown`` when it may be tried again, ``ReadNotRecorded`` when not.
        """


class AccessReads:
    """The read log as access keeps it."""

    def __init__(self, access: Upstream, signer: Signer, settings: Settings) -> None:
        self._access = access
        self._signatures = Signatures(signer)
        self._principal = itself(settings.gateway_id, settings.country)

    async def put(self, batch: bytes) -> None:
        """See ``ReadSink``."""
        headers = (
            (b"authorization", self._signatures.header(self._principal, None)),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(batch)).encode()),
        )
        request = Outgoing(method="POST", target=_PATH, headers=headers, body=batch, route=_PATH)
        async with self._access.exchange(request) as answer:
            async for _ in answer.chunks:
                pass
        if answer.status in {400, 401, 403, 404, 413}:
            raise ReadNotRecorded(f"Access does not take the record: {answer.status}.")
        if answer.status != 204:
            raise ConnectionError(f"access answered {answer.status}")


class _Waiting:
    """One answer that waits for its reads: ``left`` are those that are not on record yet."""

    __slots__ = ("done", "left")

    def __init__(self, reads: int) -> None:
        self.left = reads
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give_up(self) -> None:
        """Wait no longer."""
        if not self.done.done():
            self.done.set_exception(
                ReadNotRecorded("The read could not be put on record in time; try again in a moment.")
            )


_Queued = tuple[bytes, _Waiting]


class ReadLog:
    """Gathers reads and puts them on record, one batch at a time."""

    def __init__(self, sink: ReadSink, *, wait_s: float = WAIT_S) -> None:
        self._sink = sink
        self._wait_s = wait_s
        self._queue: deque[_Queued] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def record(self, reads: Sequence[Read]) -> None:
        """Return when the reads are on record, durably; raises ``ReadNotRecorded``, at the latest after ``wait_s``."""
        if not reads:
            return
        if len(self._queue) + len(reads) > MOST_WAITING:
            raise ReadNotRecorded("Too many reads wait to be put on record; try again in a moment.")
        contents = [_checked(read) for read in reads]
        waiting = _Waiting(len(contents))
        self._queue.extend((content, waiting) for content in contents)
        if self._sending is None:
            # In a context of its own: a batch belongs to many requests and to the trace of none.
            self._sending = asyncio.create_task(self._send(), name="reads", context=contextvars.Context())
        too_late = asyncio.get_running_loop().call_later(self._wait_s, waiting.give_up)
        try:
            await waiting.done
        finally:
            too_late.cancel()
        trace.get_current_span().add_event("read on record")

    async def stop(self) -> None:
        """Stop sending; what waits is refused."""
        await ended(self._sending)
        while batch := self._next():
            _settle(batch, is_recorded=False)

    async def _send(self) -> None:
        """Send batch after batch until nothing waits."""
        try:
            while batch := self._next():
                is_recorded = False
                try:
                    await self._put(batch)
                    is_recorded = True
                except Exception as error:  # noqa: BLE001 - whatever it is, these reads are refused and the next ones tried
                    reason = f"{type(error).__name__}: {error}"
                    logger.warning("reads were not recorded", extra={"reads": len(batch), "reason": reason})
                finally:
                    _settle(batch, is_recorded=is_recorded)
        finally:
            self._sending = None

    async def _put(self, batch: Sequence[_Queued]) -> None:
        """Try until the batch is on record; always under the same id, since a try of unknown end may have worked."""
        content = b'{"id":"%b","reads":[%b]}' % (str(uuid7()).encode(), b",".join(read for read, _ in batch))
        async with asyncio.timeout(self._wait_s):
            try:
                await self._sink.put(content)
            except _PASSING as error:
                logger.info("reads are tried again", extra={"reason": f"{type(error).__name__}: {error}"})
            else:
                return
            async for attempt in stamina.retry_context(
                on=_PASSING, attempts=None, timeout=self._wait_s, wait_initial=0.02, wait_max=0.5
            ):
                with attempt:
                    await self._sink.put(content)

    def _next(self) -> list[_Queued]:
        """The next batch: what waits, in its order, without the reads that nobody waits for any more."""
        batch: list[_Queued] = []
        size = 0
        while self._queue and len(batch) < MOST_READS:
            content, waiting = self._queue[0]
            if not waiting.done.done():
                size += len(content)
                if batch and size > MOST_BYTES:
                    break
                batch.append(self._queue[0])
            self._queue.popleft()
        return batch


def _settle(batch: Sequence[_Queued], *, is_recorded: bool) -> None:
    """Let the answers go whose reads are all on record; refuse those of which one is not."""
    for _, waiting in batch:
        waiting.left -= 1
        if waiting.done.done():
            continue
        if not is_recorded:
            waiting.done.set_exception(ReadNotRecorded("The read could not be put on record; try again in a moment."))
        elif waiting.left == 0:
            waiting.done.set_result(None)


def _checked(read: Read) -> bytes:
    """The read as JSON; what access would refuse is refused alone, and not with the batch that it would go with."""
    try:
        content = msgspec.json.encode(read)
        msgspec.json.decode(content, type=Read)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReadNotRecorded("The read cannot be put on record.") from error
    return content
