"""The bus inside one process: a documents collection is the queue, so that a crash loses nothing that was confirmed."""

import asyncio
import logging
import time
from collections.abc import Collection as Types
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from services.runtime.bus import Ack, Delivery, Handle, Message, Park, Parked, Retry, RetryPolicy, Verdict
from services.runtime.documents import Collection, Document, DuplicateKey, Filter, Index

INDEXES = (
    Index(("listener", "state", "due_at", "order")),
    Index(("listener", "state", "parked_at", "order")),
    Index(("order",)),
)
"""What the collection of an ``InProcessBus`` must be declared with."""

_WINDOW = 40
_POLL_S = 1.0
_QUEUED, _PARKED = "queued", "parked"
logger = logging.getLogger(__name__)


class _Lane:
    """One listener: what of its queue is in memory, and who may run."""

    def __init__(self, listener: str, types: frozenset[str], handle: Handle, concurrency: int) -> None:
        self.listener = listener
        self.types = types
        self.handle = handle
        self.slots = asyncio.Semaphore(concurrency)
        self.turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.held: dict[str, asyncio.Task[None]] = {}
        self.settled: set[str] = set()
        self.wake = asyncio.Event()
        self.has_more = False

    def release(self, document_id: str) -> None:
        """Forget a message that was dealt with; look for more once the window is half empty."""
        self.held.pop(document_id, None)
        self.settled.add(document_id)
        if self.has_more and len(self.held) <= _WINDOW // 2:
            self.wake.set()


class InProcessBus:
    """The bus port over a documents collection that was declared with ``INDEXES``.

    One document per listener and message, deleted when handled. At most a window of messages per listener is in
    memory; the rest waits in the collection, which is also what another process may put parked messages back into.
    """

    def __init__(self, messages: Collection, policy: RetryPolicy, *, concurrency: int = 20, grace_s: float = 5) -> None:
        self._messages = messages
        self._policy = policy
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._lanes: dict[str, _Lane] = {}
        self._feeders: list[asyncio.Task[None]] = []
        self._last_order = 0
        self._serving = False

    def subscribe(self, listener: str, types: Types[str], handle: Handle) -> None:
        """Deliver the types to a listener; raises ``ValueError`` for a listener that has its queue already."""
        if ":" in listener or listener in self._lanes:
            raise ValueError(f"{listener!r} cannot have another queue.")
        self._lanes[listener] = _Lane(listener, frozenset(types), handle, self._concurrency)

    async def start(self) -> None:
        """Deliver what is still queued, and from now on what is published."""
        newest = await self._messages.find(sort=[("order", -1)], limit=1)
        self._last_order = max([0, *(document["order"] for document in newest.documents)])
        self._serving = True
        self._feeders = [asyncio.create_task(self._feed(lane)) for lane in self._lanes.values()]

    async def stop(self) -> None:
        """Begin no delivery, give the running ones ``grace_s``, then cancel them: they stay queued."""
        self._serving = False
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        self._feeders = []
        running = [task for lane in self._lanes.values() for task in lane.held.values()]
        if running:
            _, late = await asyncio.wait(running, timeout=self._grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def ping(self) -> None:
        """Return when the collection answered; raises ``RuntimeError`` when nothing is delivered any more."""
        if not self._serving or any(feeder.done() for feeder in self._feeders):
            raise RuntimeError("The bus does not run.")
        await self._messages.get("")

    async def publish(self, messages: Sequence[Message]) -> set[str]:
        """Keep each message once per bound listener; return the ids that are kept for all of them."""
        if not self._serving:
            raise RuntimeError("The bus does not run.")
        # gather() starts the inserts in this order, and the collection commits them together.
        kept = await asyncio.gather(*(self._keep(message) for message in messages))
        for lane in self._lanes.values():
            if any(message.type in lane.types for message in messages):
                lane.wake.set()
        return {message.id for message, confirmed in zip(messages, kept, strict=True) if confirmed}

    async def parked(self, listener: str, *, limit: int = 100) -> list[Parked]:
        """Read what is parked for a listener, in the order of parking; works before ``start`` too."""
        where = {"listener": listener, "state": _PARKED}
        page = await self._messages.find(where, sort=[("parked_at", 1), ("order", 1)], limit=limit)
        return [
            Parked(
                listener=listener,
                message=_message(document),
                reason=document["reason"],
                attempts=document["attempt"],
                parked_at=document["parked_at"],
            )
            for document in page.documents
        ]

    async def replay(self, listener: str, *, message_id: str | None = None) -> int:
        """Queue one parked message (or all) again as a first attempt; works before ``start`` too."""
        # What is parked again while we replay carries a later time and is left alone.
        where: Filter = {"listener": listener, "state": _PARKED, "parked_at": {"$lte": _utc_now()}}
        if message_id is not None:
            where = {"$and": [where, {"_id": f"{listener}:{message_id}"}]}
        replayed = 0
        while (page := await self._messages.find(where, sort=[("parked_at", 1), ("order", 1)])).documents:
            fresh = {"state": _QUEUED, "attempt": 1, "due_at": 0, "reason": "", "parked_at": ""}
            moved = await asyncio.gather(*(self._rewrite(document, **fresh) for document in page.documents))
            replayed += sum(moved)
        if listener in self._lanes:
            self._lanes[listener].wake.set()
        return replayed

    async def _keep(self, message: Message) -> bool:
        listeners = [lane.listener for lane in self._lanes.values() if message.type in lane.types]
        if not listeners:
            return True
        # Time-ordered across restarts, and never backwards when the clock is.
        self._last_order = max(self._last_order + 1, time.time_ns() // 1000)
        event = {name: value for name, value in msgspec.structs.asdict(message).items() if name != "body"}
        content = {
            "version": 1,
            "state": _QUEUED,
            "attempt": 1,
            "due_at": 0,
            "order": self._last_order,
            "reason": "",
            "parked_at": "",
            # As text, because a database may write a JSON value differently: it must come back byte for byte.
            "message": {**event, "body": bytes(message.body).decode()},
        }
        inserts = (self._insert({"_id": f"{name}:{message.id}", "listener": name, **content}) for name in listeners)
        return all(await asyncio.gather(*inserts))

    async def _insert(self, document: Document) -> bool:
        try:
            await self._messages.insert(document)
        except DuplicateKey:
            return True
        except Exception:
            logger.exception("A message for %s could not be kept and is not confirmed.", document["listener"])
            return False
        return True

    async def _feed(self, lane: _Lane) -> None:
        while True:
            lane.wake.clear()
            pause = _POLL_S
            if len(lane.held) <= _WINDOW // 2:
                try:
                    pause = await self._fill(lane)
                except Exception:
                    logger.exception("The queue of %s could not be read; it is read again in a second.", lane.listener)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await lane.wake.wait()

    async def _fill(self, lane: _Lane) -> float:
        """Begin to deliver what is due; return the seconds until something else will be."""
        lane.settled.clear()
        queued = {"listener": lane.listener, "state": _QUEUED}
        # Whole windows from the front: at most half of each is held already, so there is always progress.
        first, again = await asyncio.gather(
            self._messages.find({**queued, "due_at": 0}, sort=[("order", 1)], limit=_WINDOW),
            self._messages.find({**queued, "due_at": {"$gt": 0}}, sort=[("due_at", 1)], limit=_WINDOW),
        )
        now = _now_ms()
        # Further away than any pause: the clock was set back, or the policy was shortened.
        horizon = now + self._policy.delay_ms
        due = [document for document in again.documents if not now < document["due_at"] <= horizon]
        waiting: list[int] = [document["due_at"] for document in again.documents if now < document["due_at"] <= horizon]
        lane.has_more = max(len(first.documents), len(again.documents)) == _WINDOW
        room = _WINDOW - len(lane.held)
        # A settled message may still be in what was read a moment ago; it must not be delivered once more.
        known = lane.held.keys() | lane.settled
        due = [document for document in due if document["_id"] not in known][: room // 2]
        new = [document for document in first.documents if document["_id"] not in known][: room - len(due)]
        for document in [*due, *new]:
            lane.held[document["_id"]] = asyncio.create_task(self._deliver(lane, document))
        return min([_POLL_S, *((due_at - now) / 1000 for due_at in waiting)])

    async def _deliver(self, lane: _Lane, document: Document) -> None:
        try:
            message = _message(document)
            # One after the other for a subject, and only the one whose turn it is takes a slot.
            async with lane.turns.setdefault(message.subject, asyncio.Lock()), lane.slots:
                if self._serving:
                    verdict = await _verdict(lane, Delivery(message, document["attempt"]))
                    await self._settle(lane, document, verdict)
        except Exception:
            logger.exception("A verdict of %s could not be stored; the message comes again.", lane.listener)
            await asyncio.sleep(_POLL_S)
        finally:
            lane.release(document["_id"])

    async def _settle(self, lane: _Lane, document: Document, verdict: Verdict) -> None:
        attempt: int = document["attempt"]
        match verdict:
            case Ack():
                await self._messages.delete(document["_id"])
            case Retry(reason, is_counted) if attempt < self._policy.attempts or not is_counted:
                due_at = _now_ms() + self._policy.delay_ms
                await self._rewrite(document, attempt=attempt + is_counted, due_at=due_at, reason=reason)
                lane.wake.set()
            case Retry(reason) | Park(reason):
                await self._rewrite(document, state=_PARKED, reason=reason, parked_at=_utc_now())

    async def _rewrite(self, document: Document, **changes: Any) -> bool:
        version = document["version"]
        changed = {**document, **changes, "version": version + 1}
        return await self._messages.replace(changed, if_version=version)


async def _verdict(lane: _Lane, delivery: Delivery) -> Verdict:
    try:
        return await lane.handle(delivery)
    except Exception as error:
        logger.exception("The handler of %s raised instead of giving a verdict.", lane.listener)
        return Retry(type(error).__name__)


def _message(document: Document) -> Message:
    event = document["message"]
    return Message(**{**event, "body": msgspec.Raw(event["body"].encode())})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
