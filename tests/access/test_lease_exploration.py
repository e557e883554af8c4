"""Every order of messages, losses, ticks and crashes of two gateways and access: no read after a revoke returned.

A small model moves the messages; what the parties believe is computed by the real functions: the leases of access,
and the replica of the gateway with its visibility decision.
"""

import functools
from collections import deque
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import msgspec
import pytest

from contracts.access import ConsentAnswer, ConsentEntry, EntryKind
from contracts.ledger import GENESIS
from contracts.visibility import may_see
from contracts.vocabulary import ReportKind
from gateway.replica import Replica
from services.access.domain.lease import Lease, Leases

LEASE = 2
TODAY = date(2026, 3, 10)
GIVEN = ConsentEntry(
    epoch=1,
    previous_hash="0" * 64,
    hash="1" * 64,
    kind=EntryKind.GRANT_GIVEN,
    grant_id="g",
    factory_id="f",
    buyer_id="b",
    kinds=(ReportKind.ASSESSMENT,),
    starts_on=TODAY,
)
REVOKED = msgspec.structs.replace(
    GIVEN, epoch=2, previous_hash=GIVEN.hash, hash="2" * 64, kind=EntryKind.GRANT_REVOKED, kinds=(), starts_on=None
)
LEDGER = (GIVEN, REVOKED)
JOINED, LEFT = (
    msgspec.structs.replace(entry, kind=kind, buyer_id="", group_id="b", kinds=(), starts_on=None)
    for entry, kind in ((GIVEN, EntryKind.GROUP_JOINED), (REVOKED, EntryKind.GROUP_LEFT))
)
PAID = msgspec.structs.replace(GIVEN, kind=EntryKind.ENTITLEMENT_GIVEN, grant_id="e", factory_id="", kinds=())


class Message(NamedTuple):
    """A question on its way or held by access (``epoch`` 0), or an answer; ``age`` counts from the sending."""

    gateway: int
    life: int
    after: int
    age: int
    state: str
    epoch: int = 0


class Believes(NamedTuple):
    """A gateway: which start of it this is, what it applied, how long its lease goes on."""

    life: int = 0
    applied: int = 0
    left: float = 0.0


class State(NamedTuple):
    """Everything, with times relative to now."""

    gateways: tuple[Believes, ...]
    messages: frozenset[Message]
    unknown: float
    leases: frozenset[tuple[str, int, float]]
    unknown_epoch: int = 0
    epoch: int = 0
    is_waiting: bool = False
    has_returned: bool = False


class Rules(NamedTuple):
    """How often a gateway restarts, and what is broken on purpose, to see that the exploration would tell."""

    restarts: int = 1
    of_a_group: bool = False
    """Whether what is given and taken back is a factory of a group, instead of a grant to a buyer."""

    counts_from_receipt: bool = False
    forgets_unknown: bool = False
    forgets_unknown_epoch: bool = False
    never_waits: bool = False
    shares_a_name: bool = False

    @property
    def ledger(self) -> tuple[ConsentEntry, ConsentEntry]:
        return (JOINED, LEFT) if self.of_a_group else LEDGER


def replica_of(gateway: Believes, rules: Rules) -> Replica:
    replica = Replica(today=lambda: TODAY, clock=lambda: 0.0)
    replica.fold.apply(PAID)  # long ago: not one of the steps that are explored
    replica.fold.epoch, replica.fold.hash = 0, GENESIS
    for entry in rules.ledger[: gateway.applied]:
        replica.fold.apply(entry)
    replica._lease_ends = gateway.left
    return replica


def leases_of(state: State) -> Leases:
    return Leases(state.unknown, state.unknown_epoch, {name: Lease(acked, ends) for name, acked, ends in state.leases})


def with_leases(state: State, leases: Leases) -> State:
    known = ((name, lease.acknowledged, lease.ends) for name, lease in leases.known.items() if lease.ends > 0)
    return state._replace(leases=frozenset(known), unknown=leases.unknown_until)


def name_of(message: Message, rules: Rules) -> str:
    return "gateway" if rules.shares_a_name else f"{message.gateway}.{message.life}"


def moves(state: State, rules: Rules, in_flight: int) -> Iterator[State]:
    yield tick(state)
    yield from access_moves(state, rules)
    for message in state.messages:
        rest = state._replace(messages=state.messages - {message})
        yield rest  # lost
        yield from message_moves(rest, message, rules)
    for number, gateway in enumerate(state.gateways):
        if sum(m.gateway == number and m.life == gateway.life for m in state.messages) < in_flight:
            question = Message(number, gateway.life, gateway.applied, 0, "asked")
            yield state._replace(messages=state.messages | {question})
        if gateway.life < rules.restarts:
            yield with_gateway(state, number, Believes(life=1))


def access_moves(state: State, rules: Rules) -> Iterator[State]:
    if state.epoch == 0:
        yield state._replace(epoch=1)
    if state.epoch == 1:
        yield state._replace(epoch=2, is_waiting=True)
    if state.is_waiting and (rules.never_waits or leases_of(state).in_the_way(2, given=1, now=0.0) is None):
        yield state._replace(is_waiting=False, has_returned=True)
    # Access crashes: the factory's call fails with it, and asking again waits again.
    kept = frozenset(m for m in state.messages if m.state == "answered")
    unknown = 0.0 if rules.forgets_unknown else float(LEASE)
    known_to_others = 0 if rules.forgets_unknown_epoch else state.epoch
    crashed = state._replace(messages=kept, leases=frozenset(), unknown=unknown, unknown_epoch=known_to_others)
    yield crashed._replace(is_waiting=state.epoch == 2 and not state.has_returned)


def message_moves(rest: State, message: Message, rules: Rules) -> Iterator[State]:
    if message.state == "asked":
        leases = leases_of(rest).acknowledged(name_of(message, rules), message.after)
        yield with_leases(rest, leases)._replace(messages=rest.messages | {message._replace(state="held")})
    elif message.state == "held":
        leases = leases_of(rest).extended(name_of(message, rules), message.after, now=0.0, lease_s=LEASE)
        answer = message._replace(state="answered", epoch=rest.epoch)
        yield with_leases(rest, leases)._replace(messages=rest.messages | {answer})
    elif rest.gateways[message.gateway].life == message.life:
        believed = received(rest.gateways[message.gateway], message, rules)
        yield with_gateway(rest, message.gateway, believed)


@functools.cache
def received(gateway: Believes, answer: Message, rules: Rules) -> Believes:
    replica = replica_of(gateway, rules)
    told = ConsentAnswer(entries=rules.ledger[answer.after : answer.epoch], epoch=answer.epoch, lease_s=LEASE)
    replica.take(told, sent_at=0.0 if rules.counts_from_receipt else -float(answer.age))
    return Believes(gateway.life, replica.fold.epoch, max(0.0, replica.lease_left_s()))


def with_gateway(state: State, number: int, gateway: Believes) -> State:
    return state._replace(gateways=(*state.gateways[:number], gateway, *state.gateways[number + 1 :]))


def tick(state: State) -> State:
    aged = frozenset(m._replace(age=min(m.age + 1, LEASE)) for m in state.messages)
    leases = frozenset((name, acked, ends - 1) for name, acked, ends in state.leases if ends > 1)
    gateways = tuple(gateway._replace(left=max(0.0, gateway.left - 1)) for gateway in state.gateways)
    unknown = max(0.0, state.unknown - 1)
    return state._replace(messages=aged, leases=leases, gateways=gateways, unknown=unknown)


def shows_what_was_revoked(state: State, rules: Rules) -> bool:
    return state.has_returned and any(shows(gateway, rules) for gateway in state.gateways)


@functools.cache
def shows(gateway: Believes, rules: Rules) -> bool:
    replica = replica_of(gateway, rules)
    if replica.lease_left_s() <= 0:
        return False
    if rules.of_a_group:
        return "f" in replica.decide_group("b").factories
    return may_see(replica.fold, "b", "f", ReportKind.ASSESSMENT, TODAY)


def explored(gateways: int, in_flight: int, rules: Rules) -> tuple[int, int, bool]:
    """How many states there are, how many of them after the revocation, and whether one shows too much."""
    first = State(tuple(Believes() for _ in range(gateways)), frozenset(), 0.0, frozenset())
    seen, waiting = {first}, deque([first])
    while waiting:
        state = waiting.popleft()
        if shows_what_was_revoked(state, rules):
            return len(seen), 0, True
        for following in moves(state, rules, in_flight):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return len(seen), sum(state.has_returned for state in seen), False


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("gateways", "in_flight", "rules"),
    [
        (1, 1, Rules()),
        (1, 1, Rules(of_a_group=True)),
        (1, 2, Rules(restarts=0)),
        (2, 1, Rules(restarts=0)),
    ],
    ids=["a gateway that restarts", "a factory of a group", "questions that overtake each other", "two gateways"],
)
def test_no_read_is_granted_after_a_revoke_returned(gateways: int, in_flight: int, rules: Rules) -> None:
    states, after, is_broken = explored(gateways, in_flight, rules)
    assert not is_broken
    assert states > 10_000
    assert after > 1_000


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("gateways", "rules"),
    [
        (1, Rules(counts_from_receipt=True)),
        (1, Rules(forgets_unknown=True)),
        (1, Rules(forgets_unknown_epoch=True)),
        (1, Rules(never_waits=True)),
        (1, Rules(never_waits=True, of_a_group=True)),
        (2, Rules(shares_a_name=True)),
    ],
    ids=[
        "lease counted from the answer",
        "no unknown lease after a start",
        "unknown leases know nothing",
        "revoke does not wait",
        "leaving a group does not wait",
        "one name for two",
    ],
)
def test_the_exploration_tells_when_a_rule_is_broken(gateways: int, rules: Rules) -> None:
    assert explored(gateways, 1, rules)[2]
