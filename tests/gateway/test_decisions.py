"""The gateway decides exactly as the rules say: tens of thousands of decisions, or ``--decisions=1000000``."""

import random
import secrets
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.access import ConsentAnswer, EntryKind
from contracts.vocabulary import ReportKind
from gateway.replica import Decision, Replica, Subject
from gateway.visibility import may_see
from tests.gateway.model import Given, Model
from tests.gateway.running import FedConsent

FIRST_DAY = date(2026, 3, 1)
BUYERS = ("b1", "b2", "b3")
FACTORIES = ("f1", "f2", "f3", "f4")
KINDS = tuple(ReportKind)
STEPS_A_WORLD = 60
QUESTIONS_A_STEP = 12


class World:
    """A gateway's replica and the model side by side, told the same; ``today`` is the day in both."""

    def __init__(self) -> None:
        self.today = FIRST_DAY
        self.model = Model()
        self.replica = Replica(today=lambda: self.today, clock=lambda: 0.0)
        self._ledger = FedConsent()

    def give(self, grant: Given) -> None:
        self.model.give(grant)
        self._ledger._add(
            EntryKind.GRANT_GIVEN,
            grant.grant_id,
            grant.factory_id,
            grant.buyer_id,
            kinds=tuple(grant.kinds),
            starts_on=grant.first_day,
            ends_on=grant.last_day,
        )
        self._follow()

    def revoke(self, grant: Given) -> None:
        self.model.revoke(grant.grant_id)
        self._ledger._add(EntryKind.GRANT_REVOKED, grant.grant_id, grant.factory_id, grant.buyer_id)
        self._follow()

    def answers(self, buyer_id: str, factory_id: str, kind: ReportKind) -> dict[str, bool]:
        """What the model says, and what each way of asking the gateway says."""
        decision = self.replica.decide(buyer_id)
        nothing = Decision(buyer_id, {}, 0)
        return {
            "model": self.model.is_granted(buyer_id, factory_id, kind, self.today),
            "single decision": may_see(self.replica.fold, buyer_id, factory_id, kind, self.today),
            "list": factory_id in decision.shares[kind],
            "last check": self.replica.stands(nothing, Subject(factory_id, kind)),
        }

    def _follow(self) -> None:
        entries = tuple(self._ledger.entries[self.replica.fold.epoch :])
        answer = ConsentAnswer(entries=entries, epoch=len(self._ledger.entries), lease_s=1.0)
        self.replica.take(answer, sent_at=0.0)


def disagreements(world: World, buyer_id: str, factory_id: str, kind: ReportKind) -> Iterator[str]:
    found = world.answers(buyer_id, factory_id, kind)
    if len(set(found.values())) > 1:
        yield f"{buyer_id} {factory_id} {kind.value} {world.today}: {found}"


def a_step(world: World, chance: random.Random, number: int) -> None:
    """Time goes on or back by days, a grant is given (past, present, future, open, overlapping), or one is revoked."""
    world.today = FIRST_DAY + timedelta(chance.randrange(-8, 9))
    standing = [grant for grant in world.model.grants if not grant.is_revoked]
    if standing and chance.random() < 0.35:
        world.revoke(chance.choice(standing))
        return
    first_day = FIRST_DAY + timedelta(chance.randrange(-8, 9))
    last_day = None if chance.random() < 0.3 else first_day + timedelta(chance.randrange(8))
    kinds = chance.sample(KINDS, chance.randint(1, len(KINDS)))
    grant = Given(f"g{number}", chance.choice(FACTORIES), chance.choice(BUYERS), kinds, first_day, last_day)
    world.give(grant)


@pytest.mark.timeout(900)
def test_decisions_are_those_of_the_model(decisions: int) -> None:
    seed = secrets.randbelow(10**9)
    chance = random.Random(seed)
    wrong: list[str] = []
    seen = {True: 0, False: 0}
    world, steps = World(), 0
    while sum(seen.values()) < decisions:
        if steps % STEPS_A_WORLD == 0:
            world = World()
            world.give(Given("g", "f1", "b1", KINDS, FIRST_DAY, FIRST_DAY))
        steps += 1
        a_step(world, chance, steps)
        for _ in range(QUESTIONS_A_STEP):
            asked = chance.choice(BUYERS), chance.choice(FACTORIES), chance.choice(KINDS)
            seen[world.model.is_granted(*asked, world.today)] += 1
            wrong += disagreements(world, *asked)
    assert wrong == [], f"seed {seed}"
    assert min(seen.values()) > decisions / 10, "both answers are asked for"


DAYS = st.integers(-4, 4).map(lambda days: FIRST_DAY + timedelta(days))
GRANTS = st.builds(
    Given,
    grant_id=st.just(""),
    factory_id=st.sampled_from(FACTORIES[:2]),
    buyer_id=st.sampled_from(BUYERS[:2]),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
    first_day=DAYS,
    last_day=st.none() | DAYS,
)


@given(st.lists(st.tuples(GRANTS, st.sets(st.integers(0, 9))), max_size=10), st.lists(DAYS, min_size=1, max_size=4))
def test_every_decision_after_any_history_is_that_of_the_model(
    history: list[tuple[Given, set[int]]], days: list[date]
) -> None:
    world = World()
    world.give(Given("g", "f1", "b2", KINDS, FIRST_DAY, None))
    for number, (grant, revoked) in enumerate(history):
        grant.grant_id, grant.is_revoked = f"g{number}", False
        world.give(grant)
        for each in [each for each in world.model.grants if each.grant_id in {f"g{i}" for i in revoked}]:
            if not each.is_revoked:
                world.revoke(each)
    for world.today in days:
        for buyer_id in BUYERS[:2]:
            for factory_id in FACTORIES[:2]:
                for kind in KINDS:
                    assert not list(disagreements(world, buyer_id, factory_id, kind))


def test_a_list_shares_exactly_what_single_decisions_show() -> None:
    chance = random.Random(secrets.randbelow(10**9))
    world = World()
    for number in range(300):
        a_step(world, chance, number)
        for buyer_id in BUYERS:
            shared = world.replica.decide(buyer_id).shares
            for kind in KINDS:
                single = {each for each in FACTORIES if may_see(world.replica.fold, buyer_id, each, kind, world.today)}
                assert shared[kind] == single
