"""A gateway as the exploration of leases sees it: its real replica, guards and follower, set up anew for each step."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, cast
from unittest.mock import patch

from litestar.types import Send

from contracts.access import ConsentAnswer, ConsentEntry
from contracts.errors import Refusal
from contracts.vocabulary import ReportKind
from gateway import consent
from gateway.consent import ConsentSource, Follower
from gateway.replica import Decision, Guard, Replica, Subject, Withdrawn
from tests.access.entries import TODAY
from tests.access.lease_access import LEASE
from tests.support.virtual import VirtualLoop, nobody_moves

A_MOMENT: Final = 0.01
"""More than a guard takes to notice that the lease is over, less than a clock may lose in a tick."""

LIST: Final = ""
OWNED: Final = "factory of the group"


class Answer(NamedTuple):
    """An answer to a buyer or group, about one kind of content, a factory of the group, or everything (a list)."""

    about: str
    decided: int
    is_sending: bool = False


class Believes(NamedTuple):
    """A gateway: which start of it this is, what it applied, how long its lease goes on, and what it answers.

    While it ``is_cutting`` answers it does not ask again.
    """

    life: int = 0
    applied: int = 0
    left: int = 0
    answer: Answer | None = None
    is_cutting: bool = False


class Gateways:
    """Asks the real functions; ``entries`` are the whole ledger, ``of_a_group`` says who reads."""

    def __init__(self, loop: VirtualLoop, entries: Sequence[ConsentEntry], *, of_a_group: bool) -> None:
        self._loop = loop
        self._entries = entries
        self._of_a_group = of_a_group

    def shown(self, gateway: Believes) -> frozenset[str]:
        """What it would decide to show now."""
        try:
            return _shown(self._decided(self._replica(gateway.applied, gateway.left)))
        except Refusal:
            return frozenset()

    def in_sight(self, gateway: Believes) -> frozenset[str]:
        """What it would decide to show now, and what the answer shows that it is sending."""
        seen = self.shown(gateway)
        answer = gateway.answer
        if answer is None or not answer.is_sending:
            return seen
        return seen | (
            _shown(self._decided(self._replica(answer.decided, LEASE))) if answer.about == LIST else {answer.about}
        )

    def sent(self, gateway: Believes) -> Believes:
        """After it began to send its answer, unless its guard did not let it."""
        return self._loop.run(self._sent(gateway))

    def received(self, gateway: Believes, told: ConsentAnswer, age: int) -> Believes:
        """After it took an answer of access to a question that it sent ``age`` ago."""
        return self._loop.run(self._received(gateway, told, age))

    def cut(self, gateway: Believes) -> Believes:
        """After what it was cutting has stopped."""
        return self._loop.run(self._cut(gateway))

    def later(self, gateway: Believes, seconds: int) -> Believes:
        """After seconds on its own clock: more than what is cut needs to stop."""
        if gateway.is_cutting:
            gateway = self.cut(gateway)
        is_watched = gateway.answer is not None and gateway.answer.is_sending
        answer = self._loop.run(self._watched(gateway, seconds)) if is_watched else gateway.answer
        return gateway._replace(left=max(0, gateway.left - seconds), answer=answer)

    async def _sent(self, gateway: Believes) -> Believes:
        assert gateway.answer is not None
        async with self._answering(gateway, is_begun=False) as (_, guard):
            begun = asyncio.create_task(_sending(guard, _never_taken))
            await nobody_moves()
            answer = None if begun.done() else gateway.answer._replace(is_sending=True)
        return gateway._replace(answer=answer)

    async def _received(self, gateway: Believes, told: ConsentAnswer, age: int) -> Believes:
        async with self._answering(gateway) as (replica, guard):
            source = _Source(told)
            follower = Follower(cast(ConsentSource, source), replica, gateway_id="gateway", lease_s=LEASE)
            with patch.object(consent, "boot_clock", lambda: self._loop.time() - (0 if source.has_answered else age)):
                asking = asyncio.create_task(follower._ask())
                await nobody_moves()
            if asking.done():
                asking.result()
            return gateway._replace(
                applied=replica.fold.epoch,
                left=round(max(0.0, replica.lease_left_s())),
                is_cutting=not asking.done(),
                answer=gateway.answer if _goes_on(gateway, guard) else None,
            )

    async def _cut(self, gateway: Believes) -> Believes:
        async with self._answering(gateway, stops_at_once=True) as (replica, guard):
            await replica.cut_withdrawn()
            return gateway._replace(is_cutting=False, answer=gateway.answer if _goes_on(gateway, guard) else None)

    async def _watched(self, gateway: Believes, seconds: int) -> Answer | None:
        async with self._answering(gateway, stops_at_once=True) as (_, guard):
            await asyncio.sleep(seconds + A_MOMENT)
            return gateway.answer if _goes_on(gateway, guard) else None

    @contextlib.asynccontextmanager
    async def _answering(
        self, gateway: Believes, *, is_begun: bool | None = None, stops_at_once: bool = False
    ) -> AsyncIterator[tuple[Replica, Guard]]:
        """The replica with the guard over the answer, which it is sending if it does, to somebody who takes nothing."""
        answer = gateway.answer or Answer(LIST, gateway.applied)
        replica = self._replica(answer.decided, LEASE)
        guard = replica.guard(self._decided(replica))
        guard.is_on_record = True
        if answer.about != LIST:
            kinds = () if self._of_a_group else (ReportKind(answer.about),)
            guard.subject = Subject("f1", kinds)
        replica._lease_ends = self._loop.time() + (gateway.left or LEASE)
        if answer.is_sending if is_begun is None else is_begun:
            begun = asyncio.create_task(_sending(guard, _never_taken if stops_at_once else _slow_to_stop))
            await nobody_moves()
            assert not begun.done()
        for entry in self._entries[answer.decided : gateway.applied]:
            replica.fold.apply(entry)
        replica._lease_ends = self._loop.time() + gateway.left
        yield replica, guard

    def _replica(self, applied: int, left: int) -> Replica:
        replica = Replica(today=lambda: TODAY, clock=self._loop.time)
        for entry in self._entries[:applied]:
            replica.fold.apply(entry)
        replica._lease_ends = self._loop.time() + left
        return replica

    def _decided(self, replica: Replica) -> Decision:
        return replica.decide_group("p1") if self._of_a_group else replica.decide("b1")


class _Source:
    def __init__(self, told: ConsentAnswer) -> None:
        self._told = told
        self.has_answered = False

    async def follow(self, _: str, **__: object) -> ConsentAnswer:
        self.has_answered = True
        return self._told


def _shown(decision: Decision) -> frozenset[str]:
    if decision.group_id:
        return frozenset({OWNED} if decision.factories else ())
    return frozenset(kind for kind, shared in decision.shares.items() if shared.covers("f1"))


def _goes_on(gateway: Believes, guard: Guard) -> bool:
    """Whether the answer may still go on: it has not begun, or its message has not been stopped."""
    is_sending = gateway.answer is not None and gateway.answer.is_sending
    return not is_sending or (guard._sending is not None and not guard._sending.done())


async def _sending(guard: Guard, send: Send) -> None:
    with contextlib.suppress(Withdrawn):
        await guard.send(send, {"type": "http.response.body", "body": b"", "more_body": False})


async def _never_taken(_: object) -> None:
    await asyncio.Event().wait()


async def _slow_to_stop(_: object) -> None:
    """A message that its receiver does not take, and that takes a while to stop."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.Event().wait()
