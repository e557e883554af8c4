"""Every order of messages, losses, ticks and crashes of gateways and access.

A small model moves the messages and the time; what the parties do with them is asked of the real classes, once for each
situation of a party.
"""

import functools
from collections import deque
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple
from unittest.mock import patch

from contracts.access import ConsentAnswer
from contracts.vocabulary import ReportKind
from services.access.domain.consent import facts
from services.access.domain.consent.entry import followed
from services.access.domain.consent.fold import Fold
from services.access.domain.consent.paid import Entitlement, EntitlementGiven
from services.access.usecases import consent
from tests.access.entries import TODAY, a_fold, a_grant
from tests.access.lease_access import LEASE, Access, Memory
from tests.access.lease_gateway import LIST, OWNED, Answer, Believes, Gateways
from tests.support.virtual import VirtualLoop

TICK = 50
LOST = 1
"""What a clock may lose in a tick: what the gateway allows for, two hundredths, and not more."""

PAID = Entitlement(id="e", buyer_id="b1", starts_on=TODAY)
LONG_AGO = 2
"""The announcement of the key and the payment are none of the steps that are explored."""

ASKED_ONCE = frozenset(
    ("shown", "in_sight", "sent", "heard", "cut", "later", "started", "acknowledged", "answered", "is_in_force")
)
"""What is remembered of the parties, who always answer the same."""


def given_and_revoked(grant_id: str, kind: ReportKind) -> tuple[facts.Fact, facts.Fact]:
    given = facts.GrantGiven(grant=a_grant(grant_id, kinds=(kind,)))
    return given, facts.GrantRevoked(record_id=grant_id, factory_id="f1", buyer_id="b1")


ONCE = given_and_revoked("g1", ReportKind.ASSESSMENT)
TWICE = (*ONCE, *given_and_revoked("g2", ReportKind.PROGRESS))
GROUP = facts.GroupJoined(factory_id="f1", group_id="p1"), facts.GroupLeft(factory_id="f1", group_id="p1")


class Scenario(NamedTuple):
    """What may happen: always loss, delay and reordering of messages, and crashes of access."""

    steps: tuple[facts.Fact, ...] = ONCE
    """What is given and taken back, in turn; what comes next does not wait until a withdrawal has returned."""
    gateways: int = 1
    in_flight: int = 1
    restarts: int = 0
    is_slow: bool = False
    """Whether a gateway's clock may lose time."""
    answers: bool = False
    """Whether an answer to a buyer takes its time between the decision, the first byte and the last one."""
    entries_per_answer: int = 100
    shares_a_name: bool = False

    @property
    def withdrawals(self) -> dict[int, tuple[int, str]]:
        """By the epoch of a withdrawal the epoch of what it takes back, and what must not be shown any more."""
        taken = [given.grant.kinds[0] if isinstance(given, facts.GrantGiven) else OWNED for given in self.steps[::2]]
        return {LONG_AGO + 2 * n: (LONG_AGO + 2 * n - 1, what) for n, what in enumerate(taken, start=1)}


class Message(NamedTuple):
    """A question on its way, or held by access, or an answer; ``age`` is on the gateway's clock since the question."""

    gateway: int
    life: int
    after: int
    state: str = "asked"
    age: int = 0
    upto: int = 0
    epoch: int = 0
    lease_s: float = 0.0


class State(NamedTuple):
    """Everything, with times relative to now."""

    gateways: tuple[Believes, ...]
    access: Memory
    messages: frozenset[Message] = frozenset()
    waiting: frozenset[int] = frozenset()
    returned: frozenset[int] = frozenset()


class Found(NamedTuple):
    """How many states there are, how many of them after a withdrawal, and whether one shows what was taken back."""

    states: int
    after: int
    is_broken: bool


class Model:
    """The moves of a scenario; asks each party about each of its situations once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        loop = VirtualLoop()
        _, entries = a_fold(EntitlementGiven(entitlement=PAID), *scenario.steps)
        self._entries = [followed(entry) for entry in entries]
        folds = [Fold(entries[:epoch]) for epoch in range(len(entries) + 1)]
        self.gateways = Gateways(loop, self._entries, of_a_group=scenario.steps == GROUP)
        self.access = Access(loop, folds)
        self.close = loop.close
        for party in (self.gateways, self.access, self):
            for name in ASKED_ONCE & set(dir(party)):
                setattr(party, name, functools.cache(getattr(party, name)))

    def first(self) -> State:
        """A gateway has applied what was long ago, and no lease is alive."""
        gateway = Believes(applied=LONG_AGO)
        return State((gateway,) * self.scenario.gateways, Memory(LONG_AGO, 0.0, LONG_AGO))

    def is_broken(self, state: State) -> bool:
        """Whether a gateway shows, or goes on sending, what a withdrawal that returned took back."""
        forbidden = {what for epoch, (_, what) in self.scenario.withdrawals.items() if epoch in state.returned}
        return bool(forbidden) and any(self.gateways.in_sight(gateway) & forbidden for gateway in state.gateways)

    def moves(self, state: State) -> Iterator[State]:
        """Every state that may follow at once."""
        yield from self._ticks(state)
        yield from self._access_moves(state)
        for message in state.messages:
            rest = state._replace(messages=state.messages - {message})
            yield rest  # lost
            yield from self._message_moves(rest, message)
        for number, gateway in enumerate(state.gateways):
            for following in self._gateway_moves(gateway):
                yield with_gateway(state, number, following)
            of_this_life = sum(m.gateway == number and m.life == gateway.life for m in state.messages)
            if of_this_life < self.scenario.in_flight and not gateway.is_cutting:
                question = Message(number, gateway.life, gateway.applied)
                yield state._replace(messages=state.messages | {question})

    def _ticks(self, state: State) -> Iterator[State]:
        rates = (TICK, TICK - LOST) if self.scenario.is_slow else (TICK,)
        access = state.access.later(TICK)
        for passed in product(rates, repeat=len(state.gateways)):
            messages = frozenset(m._replace(age=min(m.age + passed[m.gateway], LEASE)) for m in state.messages)
            gateways = tuple(map(self.gateways.later, state.gateways, passed))
            yield state._replace(messages=messages, gateways=gateways, access=access)

    def _access_moves(self, state: State) -> Iterator[State]:
        epoch = state.access.epoch
        if epoch < len(self._entries):
            waiting = state.waiting | ({epoch + 1} & self.scenario.withdrawals.keys())
            yield state._replace(access=state.access._replace(epoch=epoch + 1), waiting=waiting)
        for withdrawal in state.waiting:
            if self.access.is_in_force(state.access, withdrawal, self.scenario.withdrawals[withdrawal][0]):
                yield state._replace(waiting=state.waiting - {withdrawal}, returned=state.returned | {withdrawal})
        # Access crashes: the factory's call fails with it, and asking again waits again. What it held is lost, what is
        # on its way arrives at the next process.
        kept = frozenset(m for m in state.messages if m.state != "held")
        yield state._replace(messages=kept, access=self.access.started(epoch))

    def _message_moves(self, rest: State, message: Message) -> Iterator[State]:
        name = "gateway" if self.scenario.shares_a_name else f"{message.gateway}.{message.life}"
        if message.state == "asked":
            access = self.access.acknowledged(rest.access, name, message.after)
            yield rest._replace(access=access, messages=rest.messages | {message._replace(state="held")})
        elif message.state == "held":
            access, told = self.access.answered(rest.access, name, message.after)
            upto = message.after + len(told.entries)
            answer = message._replace(state="answered", upto=upto, epoch=told.epoch, lease_s=told.lease_s)
            yield rest._replace(access=access, messages=rest.messages | {answer})
        elif rest.gateways[message.gateway].life == message.life:
            heard = self.heard(rest.gateways[message.gateway], message._replace(gateway=0, life=0))
            yield with_gateway(rest, message.gateway, heard)

    def heard(self, gateway: Believes, answer: Message) -> Believes:
        """A gateway after it took an answer of access."""
        entries = tuple(self._entries[answer.after : answer.upto])
        told = ConsentAnswer(entries=entries, epoch=answer.epoch, lease_s=answer.lease_s)
        return self.gateways.received(gateway, told, answer.age)

    def _gateway_moves(self, gateway: Believes) -> Iterator[Believes]:
        if gateway.life < self.scenario.restarts:
            yield Believes(life=gateway.life + 1)
        if gateway.is_cutting:
            yield self.gateways.cut(gateway)
        elif gateway.answer is not None:
            yield self.gateways.sent(gateway) if not gateway.answer.is_sending else gateway._replace(answer=None)
        elif self.scenario.answers and (shown := self.gateways.shown(gateway)):
            for about in (*shown, LIST):
                yield gateway._replace(answer=Answer(about, gateway.applied))


def with_gateway(state: State, number: int, gateway: Believes) -> State:
    return state._replace(gateways=(*state.gateways[:number], gateway, *state.gateways[number + 1 :]))


def explored(scenario: Scenario) -> Found:
    """Every state of a scenario, or those up to the first that shows what was taken back."""
    model = Model(scenario)
    seen, waiting = {model.first()}, deque([model.first()])
    try:
        with patch.object(consent, "ENTRIES_PER_ANSWER", scenario.entries_per_answer):
            while waiting:
                state = waiting.popleft()
                if model.is_broken(state):
                    return Found(len(seen), 0, is_broken=True)
                for following in model.moves(state):
                    if following not in seen:
                        seen.add(following)
                        waiting.append(following)
    finally:
        model.close()
    return Found(len(seen), sum(bool(state.returned) for state in seen), is_broken=False)
