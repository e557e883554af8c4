"""The gateway's copy of consent and the lease under which it may be used; decisions, and answers that hang on them."""

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import date

import msgspec
from litestar.types import Message, Send

from contracts.access import ConsentAnswer
from contracts.errors import NotPermitted, Refusal
from contracts.identity import NOTHING_SHARED, Shared, Shares
from contracts.reads import MOST_GROUNDS
from contracts.visibility import Fold, grounds, may_see, shares
from contracts.vocabulary import ReportKind
from gateway.stepping import begun

CLOCK_DRIFT = 0.02
"""The share of a lease that is given away, so that a clock that runs slow does not stretch it."""

CACHED_BUYERS = 10_000

MOST_AT_ONCE = 64 * 1024
"""So many bytes are given to the server as one message: what it has taken cannot be cut off any more."""


class NoLease(Refusal):
    """The gateway has not heard from access for too long to say what is shared just now."""

    status = 503
    code = "consent_unknown"


class NotAMember(NotPermitted):
    """The buyer keeps a list of its staff, and the person is not (any more) on it."""

    code = "not_a_member"


class Withdrawn(Refusal):
    """What the answer hangs on was withdrawn, or became unknown, while the answer was on its way."""

    status = 503
    code = "consent_changed"


def boot_clock() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine is suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Decision(msgspec.Struct, frozen=True):
    """What a buyer may see, decided at an epoch for a person of its staff; or a group: everything of ``factories``."""

    buyer_id: str
    shares: Shares
    epoch: int
    user_name: str = ""
    group_id: str = ""
    factories: frozenset[str] = frozenset()


class Subject(msgspec.Struct, frozen=True):
    """The one factory, the kinds of content and the cycle that a whole answer is about; without a cycle, any."""

    factory_id: str
    kinds: tuple[ReportKind, ...]
    cycle: int | None = None


class Replica:
    """The fold and the lease. ``today`` is the date in the programme's time zone."""

    def __init__(self, *, today: Callable[[], date], clock: Callable[[], float] = boot_clock) -> None:
        self.fold = Fold()
        self._today = today
        self._clock = clock
        self._lease_ends = float("-inf")
        self._shares: dict[str, tuple[int, date, Shares]] = {}
        self._owned: dict[str, Decision] = {}
        self._guards: set[Guard] = set()
        self._news = asyncio.Event()

    def lease_left_s(self) -> float:
        """For how long the gateway may still decide; 0 or less without a lease."""
        return self._lease_ends - self._clock()

    def take(self, answer: ConsentAnswer, *, sent_at: float) -> None:
        """Apply an answer to a question sent at ``sent_at`` (own clock); raises ``DoesNotConnect``.

        What is only a part of the news takes the lease away until the rest is here: what it gives may have been taken
        back in the rest, by a process of access that does not know of a lease which an earlier one gave.
        """
        for entry in answer.entries:
            if entry.epoch > self.fold.epoch:
                self.fold.apply(entry)
        if answer.entries:
            self._news.set()
            self._news = asyncio.Event()
        if self.fold.epoch < answer.epoch:
            self.drop_lease()
        if answer.lease_s > 0 and self.fold.epoch == answer.epoch:
            self._lease_ends = max(self._lease_ends, sent_at + answer.lease_s * (1 - CLOCK_DRIFT))

    async def news(self) -> None:
        """Return when something new has come from the ledger."""
        await self._news.wait()

    def forget(self) -> None:
        """Begin again at the first entry, without a lease."""
        self.fold = Fold()
        self._shares.clear()
        self._owned.clear()
        self.drop_lease()

    def drop_lease(self) -> None:
        """Decide nothing more until the next lease."""
        self._lease_ends = float("-inf")

    def decide(self, buyer_id: str, user_name: str = "") -> Decision:
        """What a buyer may see now, for a person who may act for it; raises ``NoLease`` and ``NotAMember``."""
        if self.lease_left_s() <= 0:
            raise NoLease("What is shared with you cannot be confirmed just now.")
        if not self.fold.is_member(buyer_id, user_name):
            raise NotAMember("You do not act for this buyer (any more); its directory says who does.")
        return Decision(buyer_id, self._current(buyer_id), self.fold.epoch, user_name)

    def decide_group(self, group_id: str) -> Decision:
        """What a manufacturing group may see now: everything of its factories; raises ``NoLease``."""
        if self.lease_left_s() <= 0:
            raise NoLease("Which factories belong to you cannot be confirmed just now.")
        factories, epoch = self.fold.owned(group_id), self.fold.epoch
        decision = self._owned.get(group_id)
        if decision is None or decision.epoch != epoch:
            shares = dict.fromkeys(ReportKind, Shared(factories))
            decision = Decision("", shares, epoch, group_id=group_id, factories=factories)
            if len(self._owned) >= CACHED_BUYERS:
                self._owned.clear()
            self._owned[group_id] = decision
        return decision

    def stands(self, decision: Decision, subject: Subject | None) -> bool:
        """Whether an answer that was made under the decision may (still) be sent.

        An answer about one ``subject`` hangs on that subject, any other answer on everything that was shared.
        """
        if self.lease_left_s() <= 0:
            return False
        if decision.group_id:
            owned = self.fold.owned(decision.group_id)
            return decision.factories <= owned if subject is None else subject.factory_id in owned
        if not self.fold.is_member(decision.buyer_id, decision.user_name):
            return False
        if subject is None:
            current = self._current(decision.buyer_id)
            return current is decision.shares or all(
                shared.within(current.get(kind, NOTHING_SHARED)) for kind, shared in decision.shares.items()
            )
        about, cycle = subject.factory_id, subject.cycle
        if self._known(decision.buyer_id) is decision.shares:  # as with nearly every answer
            return all(decision.shares[kind].covers(about, cycle) for kind in subject.kinds)
        today = self._today()
        return all(may_see(self.fold, decision.buyer_id, about, kind, today, cycle) for kind in subject.kinds)

    def grounds(
        self, buyer_id: str, factory_id: str, kinds: Collection[ReportKind], cycles: Collection[int]
    ) -> tuple[str, ...]:
        """The ids of the grants and disclosures by which the buyer sees some of these kinds and cycles today.

        The newest come first; of more than a record can hold the oldest are left out. Without cycles: of any cycle.
        """
        found = grounds(self.fold.buyer(buyer_id), factory_id, kinds, cycles, self._today())
        return tuple(entry.grant_id for entry in found[:MOST_GROUNDS])

    def guard(self, decision: Decision) -> "Guard":
        """Watch over one answer; leave it with ``Guard.release``."""
        guard = Guard(self, decision)
        self._guards.add(guard)
        return guard

    def release(self, guard: "Guard") -> None:
        """Stop watching over an answer."""
        self._guards.discard(guard)

    async def cut_withdrawn(self) -> None:
        """Stop every answer that may not go on, and return once none of them can send another byte."""
        for guard in [guard for guard in self._guards if not guard.stands()]:
            await guard.cut()

    def _current(self, buyer_id: str) -> Shares:
        """What is shared with the buyer today."""
        known = self._known(buyer_id)
        if known is None:
            today = self._today()
            known = shares(self.fold, buyer_id, today)
            if len(self._shares) >= CACHED_BUYERS:
                self._shares.clear()
            self._shares[buyer_id] = (self.fold.changed(buyer_id), today, known)
        return known

    def _known(self, buyer_id: str) -> Shares | None:
        """What is shared with the buyer, as it was found today after the last entry about it."""
        found = self._shares.get(buyer_id)
        return found[2] if found and found[0] == self.fold.changed(buyer_id) and found[1] == self._today() else None


class Guard:
    """Sends one answer's messages, each only while the decision stands, and none before the read is on record."""

    def __init__(self, replica: Replica, decision: Decision) -> None:
        self._replica = replica
        self._sending: asyncio.Future[None] | None = None
        self.decision = decision
        self.subject: Subject | None = None
        self.is_on_record = False

    def stands(self) -> bool:
        """Whether the answer may go on."""
        return self._replica.stands(self.decision, self.subject)

    async def send(self, send: Send, message: Message) -> None:
        """Send one message, a long body in pieces; raises ``Withdrawn`` instead, also while the client is too slow.

        Returns from a long body when the server waits for the client no more.
        """
        body = message.get("body", b"")
        if not isinstance(body, bytes) or len(body) <= MOST_AT_ONCE:
            await self._send(send, message)
            return
        for start in range(0, len(body), MOST_AT_ONCE):
            piece = body[start : start + MOST_AT_ONCE]
            await self._send(send, {"type": "http.response.body", "body": piece, "more_body": True})
        await self._send(send, {**message, "body": b""})  # type: ignore[arg-type]

    async def _send(self, send: Send, message: Message) -> None:
        if not self.is_on_record:
            raise RuntimeError("What is about to be sent is not on record.")
        if not self.stands():
            raise Withdrawn("What was shared with you has just changed; ask again.")
        self._sending = begun(_sent(send, message))
        if self._sending is None:
            return
        try:
            while not self._sending.done():
                left = max(0.0, self._replica.lease_left_s()) + 0.001
                await asyncio.wait({self._sending}, timeout=left)
                if not self._sending.done() and not self.stands():
                    await self.cut()
            if self._sending.cancelled():
                raise Withdrawn("What was shared with you has just changed; ask again.")
            self._sending.result()
        finally:
            self._sending.cancel()

    async def cut(self) -> None:
        """Stop the message that is being sent, if any, and return when it has stopped."""
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            await asyncio.wait({self._sending})

    def release(self) -> None:
        """Stop watching."""
        self._replica.release(self)


async def _sent(send: Send, message: Message) -> None:
    """The sending as a coroutine, whatever a server's ``send`` returns."""
    await send(message)
