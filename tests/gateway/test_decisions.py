"""The gateway decides exactly as the rules say: tens of thousands of decisions, or ``--decisions=1000000``."""

import itertools
import random
import secrets
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.access import ConsentAnswer, EntryKind
from contracts.identity import Shared
from contracts.visibility import may_see
from contracts.vocabulary import ReportKind
from gateway.replica import Decision, Replica, Subject
from tests.gateway.feed import FedConsent
from tests.gateway.model import Model, Paper, Written

FIRST_DAY = date(2026, 3, 1)
BUYERS = ("b1", "b2", "b3")
FACTORIES = ("f1", "f2", "f3", "f4")
CYCLES = (1, 2, 3)
KINDS = tuple(ReportKind)
STEPS_A_WORLD = 60
QUESTIONS_A_STEP = 12
ENTRIES: Final[Mapping[Paper, tuple[EntryKind, EntryKind]]] = {
    "grant": (EntryKind.GRANT_GIVEN, EntryKind.GRANT_REVOKED),
    "disclosure": (EntryKind.DISCLOSURE_MADE, EntryKind.DISCLOSURE_ENDED),
    "entitlement": (EntryKind.ENTITLEMENT_GIVEN, EntryKind.ENTITLEMENT_ENDED),
    "suspension": (EntryKind.SHARING_SUSPENDED, EntryKind.SHARING_RESUMED),
    "closing": (EntryKind.BUYER_CLOSED, EntryKind.BUYER_REOPENED),
    "membership": (EntryKind.GROUP_JOINED, EntryKind.GROUP_LEFT),
}
Asked = tuple[str, str, ReportKind, int]


class World:
    """A gateway's replica and the model side by side, told the same; ``today`` is the day in both."""

    def __init__(self) -> None:
        self.today = FIRST_DAY
        self.model = Model()
        self.replica = Replica(today=self.this_day, clock=lambda: 0.0)
        self._ledger = FedConsent()

    def this_day(self) -> date:
        return self.today

    def write(self, paper: Written) -> None:
        if paper.paper == "membership":  # a factory belongs to one group at most: it leaves before it joins
            for present in [each for each in self.standing() if each.paper == "membership"]:
                if present.factory_id == paper.factory_id:
                    self.take_back(present)
            self._ledger.join(paper.factory_id, paper.buyer_id)
        else:
            content = {"kinds": tuple(paper.kinds), "cycles": tuple(paper.cycles)}
            days = {"starts_on": paper.first_day, "ends_on": paper.last_day}
            self._ledger._add(ENTRIES[paper.paper][0], paper.id, paper.factory_id, paper.buyer_id, **content, **days)
        self.model.write(paper)
        self._follow()

    def take_back(self, paper: Written) -> None:
        self.model.take_back(paper.id)
        if paper.paper == "membership":
            self._ledger.leave(paper.factory_id, paper.buyer_id)
        else:
            self._ledger._add(ENTRIES[paper.paper][1], paper.id, paper.factory_id, paper.buyer_id)
        self._follow()

    def standing(self) -> list[Written]:
        return [paper for paper in self.model.papers if not paper.is_taken_back]

    def answers(self, asked: Asked) -> dict[str, bool]:
        """What the model says, and what each way of asking the gateway says."""
        buyer_id, factory_id, kind, cycle = asked
        shares = self.replica.decide(buyer_id).shares
        nothing = Decision(buyer_id, {}, 0)
        everything = Decision(buyer_id, {kind: Shared(by_cycle=((cycle, frozenset({factory_id})),))}, 0)
        return {
            "model": self.model.may_see(*asked, self.today),
            "single decision": may_see(self.replica.fold, buyer_id, factory_id, kind, self.today, cycle),
            "list": shares[kind].covers(factory_id, cycle),
            "last check of one document": self.replica.stands(nothing, Subject(factory_id, (kind,), cycle)),
            "last check of a list": self.replica.stands(everything, None),
        }

    def answers_to_group(self, asked: Asked) -> dict[str, bool]:
        """The same for a group that has the buyer's id, and sees every kind and cycle of its factories."""
        group_id, factory_id, kind, cycle = asked
        decision = self.replica.decide_group(group_id)
        nothing = Decision("", {}, 0, group_id=group_id)
        everything = msgspec.structs.replace(nothing, factories=frozenset({factory_id}))
        return {
            "model": self.model.has(group_id, factory_id),
            "single decision": factory_id in decision.factories,
            "kept answer": decision.shares[kind].covers(factory_id, cycle),
            "last check of one document": self.replica.stands(nothing, Subject(factory_id, (kind,), cycle)),
            "last check of a list": self.replica.stands(everything, None),
        }

    def _follow(self) -> None:
        entries = tuple(self._ledger.entries[self.replica.fold.epoch :])
        answer = ConsentAnswer(entries=entries, epoch=len(self._ledger.entries), lease_s=1.0)
        self.replica.take(answer, sent_at=0.0)


def disagreements(world: World, asked: Asked) -> Iterator[str]:
    for found in (world.answers(asked), world.answers_to_group(asked)):
        if len(set(found.values())) > 1:
            yield f"{asked} {world.today}: {found}"


def a_step(world: World, chance: random.Random, number: int) -> None:
    """Time goes on or back by days, and something is written (past, present, future, open) or taken back."""
    world.today = FIRST_DAY + timedelta(chance.randrange(-8, 9))
    standing = world.standing()
    if standing and chance.random() < 0.35:
        world.take_back(chance.choice(standing))
        return
    paper: Paper = chance.choices(tuple(ENTRIES), weights=(12, 4, 12, 1, 1, 4))[0]
    first_day = FIRST_DAY + timedelta(chance.randrange(-12, 5))
    has_content = paper in {"grant", "disclosure"}
    written = Written(
        paper,
        f"{paper}{number}",
        chance.choice(BUYERS),
        first_day,
        None if chance.random() < 0.4 else first_day + timedelta(chance.randrange(14)),
        factory_id="" if paper == "closing" else chance.choice(FACTORIES),
        kinds=chance.sample(KINDS, chance.randint(1, len(KINDS))) if has_content else (),
        cycles=chance.sample(CYCLES, chance.randint(0, 2)) if paper in {"disclosure", "entitlement"} else (),
    )
    if paper == "entitlement" and chance.random() < 0.5:
        written.factory_id = ""
    world.write(written)


def a_world() -> World:
    """A world in which something is visible at once."""
    world = World()
    world.write(Written("grant", "g", "b1", FIRST_DAY, FIRST_DAY, "f1", KINDS))
    for buyer_id in BUYERS[:2]:
        world.write(Written("entitlement", f"e-{buyer_id}", buyer_id, FIRST_DAY, None))
    return world


@pytest.mark.timeout(900)
def test_decisions_are_those_of_the_model(decisions: int) -> None:
    seed = secrets.randbelow(10**9)
    chance = random.Random(seed)
    wrong: list[str] = []
    seen = {True: 0, False: 0}
    world, steps = a_world(), 0
    while sum(seen.values()) < decisions:
        if steps % STEPS_A_WORLD == 0:
            world = a_world()
        steps += 1
        a_step(world, chance, steps)
        for _ in range(QUESTIONS_A_STEP):
            asked = chance.choice(BUYERS), chance.choice(FACTORIES), chance.choice(KINDS), chance.choice(CYCLES)
            seen[world.model.may_see(*asked, world.today)] += 1
            wrong += disagreements(world, asked)
    assert wrong == [], f"seed {seed}"
    assert min(seen.values()) > decisions / 40, "both answers are asked for"


DAYS = st.integers(-4, 4).map(lambda days: FIRST_DAY + timedelta(days))
PAPERS = st.builds(
    Written,
    paper=st.sampled_from(tuple(ENTRIES)),
    id=st.just(""),
    buyer_id=st.sampled_from(BUYERS[:2]),
    first_day=DAYS,
    last_day=st.none() | DAYS,
    factory_id=st.sampled_from(FACTORIES[:2]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
    cycles=st.lists(st.sampled_from(CYCLES), max_size=2, unique=True),
)


@given(st.lists(st.tuples(PAPERS, st.sets(st.integers(0, 9))), max_size=10), st.lists(DAYS, min_size=1, max_size=4))
def test_every_decision_after_any_history_is_that_of_the_model(
    history: list[tuple[Written, set[int]]], days: list[date]
) -> None:
    world = a_world()
    for number, (paper, taken_back) in enumerate(history):
        paper.id, paper.is_taken_back = str(number), False
        paper.factory_id = "" if paper.paper == "closing" else paper.factory_id
        paper.cycles = () if paper.paper == "grant" else paper.cycles  # a grant is for every cycle
        world.write(paper)
        for each in [each for each in world.standing() if each.id in {str(other) for other in taken_back}]:
            world.take_back(each)
    for world.today in days:
        for asked in itertools.product(BUYERS[:2], FACTORIES[:2], KINDS, CYCLES):
            assert not list(disagreements(world, asked))


def test_a_list_shares_exactly_what_single_decisions_show() -> None:
    chance = random.Random(secrets.randbelow(10**9))
    world = a_world()
    for number in range(300):
        a_step(world, chance, number)
        fold, today = world.replica.fold, world.today
        for buyer_id, kind, cycle in itertools.product(BUYERS, KINDS, CYCLES):
            shared = world.replica.decide(buyer_id).shares[kind]
            single = {each for each in FACTORIES if may_see(fold, buyer_id, each, kind, today, cycle)}
            assert {each for each in FACTORIES if shared.covers(each, cycle)} == single
