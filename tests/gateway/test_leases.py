"""A gateway's lease is over before access counts on that, and it lasts for what is known whole only."""

from datetime import date
from fractions import Fraction

import pytest

from contracts.access import ConsentAnswer
from gateway.replica import NoLease, Replica
from tests.gateway.feed import FedConsent

SLOWEST = Fraction(98, 100)
"""How many seconds the slowest clock of a gateway counts in one of access, as deploy/RUNNING.md allows."""


class Clock:
    """The gateway's own clock."""

    def __init__(self) -> None:
        self.now = Fraction(1000)

    def __call__(self) -> float:
        return float(self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replica(clock: Clock) -> Replica:
    return Replica(today=lambda: date(2026, 3, 10), clock=clock)


def news(consent: FedConsent, *, upto: int | None = None, lease_s: float = 0.0) -> ConsentAnswer:
    """All of the ledger, or its first entries without the rest."""
    return ConsentAnswer(entries=tuple(consent.entries[:upto]), epoch=len(consent.entries), lease_s=lease_s)


@pytest.mark.parametrize("lease_s", [1, 5, 10, 60])
def test_the_slowest_clock_that_is_allowed_does_not_stretch_a_lease(
    replica: Replica, clock: Clock, lease_s: int
) -> None:
    replica.take(news(FedConsent(), lease_s=lease_s), sent_at=clock())
    clock.now += lease_s * SLOWEST - Fraction(1, 10)
    replica.decide("b1")
    clock.now += Fraction(1, 10)
    with pytest.raises(NoLease):
        replica.decide("b1")


def test_a_lease_counts_from_the_question(replica: Replica, clock: Clock) -> None:
    sent_at = clock()
    clock.now += 10
    replica.take(news(FedConsent(), lease_s=10), sent_at=sent_at)
    with pytest.raises(NoLease):
        replica.decide("b1")


def test_under_an_old_lease_nothing_is_shown_of_which_the_rest_of_the_news_may_tell_the_end(
    replica: Replica, clock: Clock
) -> None:
    """The lease is an earlier access process's: the present one did not wait for it when it took back what is new."""
    consent = FedConsent()
    replica.take(news(consent, lease_s=10), sent_at=clock())
    consent.give("g1", "f1")
    consent.revoke("g1", "f1")
    replica.take(news(consent, upto=2), sent_at=clock())
    with pytest.raises(NoLease):
        replica.decide("b1")
    replica.take(news(consent, lease_s=10), sent_at=clock())
    assert not any(each.covers("f1") for each in replica.decide("b1").shares.values())
