"""However many spend at the same time, in however many processes: as many entitlements as credits, and no fewer."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.access import EntryKind
from contracts.errors import Refusal
from services.access.domain.consent.facts import Fact, GrantGiven, GrantRevoked
from services.access.domain.consent.fold import Fold
from services.access.domain.consent.paid import CreditsBought, Entitlement, Purchase
from services.access.domain.credits import balance, buying, ending, movements, paid_for, spending
from services.access.usecases.entitlements import buy, spend
from tests.access.entries import NOW, TODAY, a_fold, a_grant, signed_next
from tests.access.parties import ADMIN, BUYER
from tests.access.processes import Process, two_on_mongo, two_on_sqlite


class Till(Process):
    """One process of access at which credits are spent."""

    async def spend(self, name: str, cycle: int) -> str:
        """What came of spending a credit: ``paid``, or the code of the refusal."""
        wanted = Entitlement(id=name, buyer_id="b1", factory_id="f1", cycles=(cycle,), starts_on=TODAY, credits=1)
        try:
            await spend(self.ledger, self.parties, BUYER, wanted, now=NOW, today=TODAY)
        except Refusal as refusal:
            return refusal.code
        return "paid"

    async def take_back(self, name: str, credits_: int) -> str:
        """What came of a correction."""
        correction = Purchase(id=name, buyer_id="b1", credits=-credits_, reference=name)
        try:
            await buy(self.ledger, self.parties, ADMIN, correction, now=NOW)
        except Refusal as refusal:
            return refusal.code
        return "corrected"


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.servers)])
async def processes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Till]]:
    """Two processes on one store, with a buyer, ten credits, and a factory that shares with it."""
    is_sqlite = request.param == "sqlite"
    two = two_on_sqlite(tmp_path, Till) if is_sqlite else two_on_mongo(request.getfixturevalue("mongo_url"), Till)
    async with two as found:
        await begin(found[0])
        yield found


async def begin(process: Till) -> None:
    for fact in (
        CreditsBought(purchase=Purchase(id="p1", buyer_id="b1", credits=10, reference="I-1")),
        GrantGiven(grant=a_grant()),
    ):
        await process.ledger.append(lambda _, fact=fact: fact, by="someone", at=NOW)  # type: ignore[misc]


async def test_fifty_who_spend_ten_credits_get_ten_entitlements(processes: list[Till]) -> None:
    trying = (processes[number % 2].spend(f"e{number}", number + 1) for number in range(50))
    outcomes = Counter(await asyncio.gather(*trying))
    assert outcomes == {"paid": 10, "no_credit": 40}
    for process in processes:
        fold = await process.ledger.current()
        assert balance(fold, "b1") == 0
        assert sum(movement.credits < 0 for movement in movements(fold, "b1")) == 10


async def test_fifty_who_pay_for_the_same_cycle_pay_once(processes: list[Till]) -> None:
    trying = (processes[number % 2].spend(f"e{number}", 1) for number in range(50))
    assert set(await asyncio.gather(*trying)) == {"paid"}
    assert balance(await processes[0].ledger.current(), "b1") == 9


async def test_spending_and_correcting_at_the_same_time_never_go_below_nothing(processes: list[Till]) -> None:
    spending_ = [processes[number % 2].spend(f"e{number}", number + 1) for number in range(20)]
    correcting = [processes[number % 2].take_back(f"c{number}", 3) for number in range(6)]
    outcomes = Counter(await asyncio.gather(*correcting, *spending_))
    fold = await processes[0].ledger.current()
    assert balance(fold, "b1") == 10 - outcomes["paid"] - 3 * outcomes["corrected"] >= 0
    running = 0
    for movement in movements(fold, "b1"):
        running += movement.credits
        assert running >= 0


def _step(rng: random.Random, fold: Fold, number: int) -> Fact | None:
    """Something that somebody asks for, decided as it would be."""
    buyer, factory, cycle = rng.choice(["b1", "b2"]), rng.choice(["f1", "f2"]), rng.randint(1, 3)
    match rng.randrange(5):
        case 0:
            amount = rng.choice([1, 2, 3, -1, -2])
            return buying(fold, Purchase(id=f"p{number}", buyer_id=buyer, credits=amount, reference=f"r{number}"))
        case 1 | 2:
            wanted = Entitlement(
                id=f"e{number}", buyer_id=buyer, factory_id=factory, cycles=(cycle,), starts_on=TODAY, credits=1
            )
            return None if paid_for(fold, wanted, TODAY) else spending(fold, wanted, TODAY)
        case 3:
            return ending(fold, f"e{rng.randrange(number + 1)}", reason="r", is_returned=rng.random() < 0.5)
        case _:
            given = fold.record("g0")
            if factory == "f2" and given is not None and given.ended_epoch is None:
                return GrantRevoked(record_id="g0", factory_id="f1", buyer_id="b1")
            return GrantGiven(grant=a_grant(f"g{number}", factory_id=factory, buyer_id=buyer))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_asked_for_no_balance_is_ever_below_nothing_and_no_cycle_is_paid_twice(seed: int) -> None:
    rng = random.Random(seed)
    fold, _ = a_fold(GrantGiven(grant=a_grant("g0")))
    for number in range(150):
        try:
            fact = _step(rng, fold, number)
        except Refusal:
            continue
        if fact is not None:
            fold.apply(signed_next(fold, fact))
        for buyer_id in ("b1", "b2"):
            assert balance(fold, buyer_id) >= 0
            standing = fold.visible.buyer(buyer_id).standing
            for entries in (by_id.values() for by_id in standing[EntryKind.ENTITLEMENT_GIVEN].values()):
                cycles = Counter(cycle for entry in entries for cycle in entry.cycles)
                assert not cycles or max(cycles.values()) == 1
    everything = movements(fold, None)
    assert [each.epoch for each in everything] == sorted(each.epoch for each in everything)
    assert sum(each.credits for each in everything) == balance(fold, "b1") + balance(fold, "b2")
