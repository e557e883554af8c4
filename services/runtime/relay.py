"""The relay: publishes what waits in the outboxes, in order per aggregate, and forgets only what was confirmed."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import msgspec
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind

from services.runtime.bus import Bus, Message
from services.runtime.documents import Collection, Document
from services.runtime.periodic import ended
from services.runtime.telemetry import context_of, traceparent

logger = logging.getLogger(__name__)
tracer = trace.get_tracer("star.relay")
BATCH = 100
PAUSE_AFTER_FAILURE_S = 0.5


class Relay:
    """One per process. Commits wake it; a scan at start and every few seconds finds what a crash left behind."""

    def __init__(self, bus: Bus, *, scan_every_s: float) -> None:
        self._bus = bus
        self._scan_every_s = scan_every_s
        self._watched: dict[str, Collection] = {}
        self._woken: dict[tuple[str, str], None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, collection: Collection) -> None:
        """Include a collection in the scans."""
        self._watched[collection.name] = collection

    @property
    def watched(self) -> tuple[Collection, ...]:
        """The collections whose outboxes this relay empties."""
        return tuple(self._watched.values())

    def wake(self, collection: Collection, document_id: str) -> None:
        """Tell that a document has something to publish."""
        self._woken[(collection.name, document_id)] = None
        self._wake.set()

    async def start(self) -> None:
        """Begin to publish in the background."""
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Stop; what is not confirmed stays in the outbox for the next start."""
        await ended(self._task)

    async def _run(self) -> None:
        next_scan = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if clock() >= next_scan:
                    await self._scan()
                    next_scan = clock() + self._scan_every_s
                await self._publish_woken()
            except Exception as error:  # noqa: BLE001 - a bus or store that is down must not end the relay
                logger.warning("relay will try again", extra={"reason": f"{type(error).__name__}: {error}"})
                next_scan = 0.0
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_scan - clock())):
                    await self._wake.wait()

    async def _scan(self) -> None:
        """Publish everything that any outbox still holds; one that cannot be emptied does not hold up the others."""
        failure: Exception | None = None
        for collection in self._watched.values():
            try:
                while documents := await collection.holding_pending(limit=BATCH):
                    await self._publish([(collection, document) for document in documents])
            except Exception as error:  # noqa: BLE001 - raised again when every outbox had its turn
                failure = error
        if failure is not None:
            raise failure

    async def _publish_woken(self) -> None:
        """Publish for the documents whose commits woke the relay, a batch at a time."""
        while self._woken:
            keys = list(self._woken)[:BATCH]
            for key in keys:  # before the reads: a commit during one of them must wake the relay once more
                del self._woken[key]
            reads = (self._watched[name].get(document_id) for name, document_id in keys)
            documents = await asyncio.gather(*reads)
            found = [(self._watched[key[0]], doc) for key, doc in zip(keys, documents, strict=True) if doc]
            await self._publish(found)
        self._wake.clear()

    async def _publish(self, outboxes: Sequence[tuple[Collection, Document]]) -> None:
        """Publish some documents' messages and take the confirmed ones out; raises when the bus kept none."""
        with tracer.start_as_current_span("outbox relay") as batch:
            link = Link(batch.get_span_context())
            messages = [_outgoing(raw, link) for _, document in outboxes for raw in document["pending"]]
            if not messages:
                return
            confirmed: set[str] = set()
            for start in range(0, len(messages), BATCH):
                chunk = messages[start : start + BATCH]
                kept = await self._bus.publish(chunk)
                confirmed |= kept
                if len(kept) < len(chunk):
                    break
            await asyncio.gather(*(_forget(*outbox, confirmed) for outbox in outboxes))
        if len(confirmed) < len({message.id for message in messages}):
            raise ConnectionError(f"the bus confirmed {len(confirmed)} of {len(messages)} messages")


def _outgoing(raw: Document, link: Link) -> Message:
    """The message to send, its trace continued by a PRODUCER span that links to the relay's own trace."""
    with tracer.start_as_current_span(
        f"{raw['type']} publish",
        context=context_of(raw["traceparent"]),
        kind=SpanKind.PRODUCER,
        links=[link],
        attributes={"messaging.operation.type": "send", "messaging.message.type": raw["type"]},
    ):
        sent = {**raw, "traceparent": traceparent() or raw["traceparent"]}
    return Message(**{**sent, "body": msgspec.Raw(msgspec.json.encode(raw["body"]))})


async def _forget(collection: Collection, document: Document, confirmed: set[str]) -> None:
    """Take the confirmed messages out of one outbox."""
    done = [raw["id"] for raw in document["pending"] if raw["id"] in confirmed]
    if done:
        await collection.discard_pending(document["_id"], done)
