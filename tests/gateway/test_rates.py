"""Token buckets: nobody gets more than a burst and the rate, and nobody who asks less is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rates import MOST_CALLERS, Bucket, Quota, Rates


class Clock:
    """A clock in the test's hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def rates(clock: Clock, *, per_s: float = 2.0, burst: int = 3) -> Rates:
    return Rates("caller", per_s=per_s, burst=burst, clock=clock)


def taken(found: Rates, caller: object = "a") -> Quota:
    quota = found.take(caller)
    assert quota is not None
    return quota


def test_a_burst_is_granted_and_no_more(clock: Clock) -> None:
    found = rates(clock)
    assert [taken(found).is_granted for _ in range(4)] == [True, True, True, False]


def test_time_gives_back(clock: Clock) -> None:
    found = rates(clock)
    for _ in range(3):
        taken(found)
    clock.now += 0.5
    assert [taken(found).is_granted for _ in range(2)] == [True, False]


def test_a_bucket_never_holds_more_than_its_burst(clock: Clock) -> None:
    found = rates(clock)
    taken(found)
    clock.now += 3600
    assert [taken(found).is_granted for _ in range(4)] == [True, True, True, False]


def test_a_clock_that_goes_back_gives_nothing(clock: Clock) -> None:
    found = rates(clock)
    for _ in range(3):
        taken(found)
    clock.now -= 3600
    assert not taken(found).is_granted


def test_a_caller_does_not_use_up_another_s(clock: Clock) -> None:
    found = rates(clock)
    for _ in range(4):
        taken(found)
    assert taken(found, "b").is_granted


def test_the_answer_says_when_one_more_is_granted(clock: Clock) -> None:
    found = rates(clock)
    for _ in range(3):
        taken(found)
    quota = taken(found)
    assert (quota.is_granted, quota.one_more_s) == (False, 0.5)
    clock.now += quota.one_more_s
    assert taken(found).is_granted


def test_the_headers_are_those_of_the_draft(clock: Clock) -> None:
    found = rates(clock)
    assert found.headers(taken(found)) == (
        (b"ratelimit-policy", b'"caller";q=3;w=2'),
        (b"ratelimit", b'"caller";r=2;t=1'),
    )


def test_a_rate_of_nothing_is_no_limit(clock: Clock) -> None:
    found = rates(clock, per_s=0)
    assert [found.take("a") for _ in range(9)] == [None] * 9


def test_no_number_of_callers_fills_the_memory(clock: Clock) -> None:
    found = rates(clock)
    for number in range(MOST_CALLERS + 500):
        taken(found, number)
    assert len(found) == MOST_CALLERS


def test_the_caller_who_asked_longest_ago_makes_room(clock: Clock) -> None:
    found = rates(clock)
    for _ in range(3):
        taken(found, "busy")
    for number in range(MOST_CALLERS - 1):
        taken(found, number)
    assert not taken(found, "busy").is_granted
    taken(found, "one more")
    assert not taken(found, "busy").is_granted


@given(
    pauses=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 5.0]), min_size=1, max_size=200),
    per_s=st.floats(0.1, 50),
    burst=st.integers(1, 5),
)
def test_in_any_stretch_of_time_at_most_the_burst_and_the_rate_are_granted(
    pauses: list[float], per_s: float, burst: int
) -> None:
    bucket, now, granted = Bucket(burst, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now, per_s=per_s, burst=burst).is_granted:
            granted.append(now)
    for number, began in enumerate(granted):
        for count, ended in enumerate(granted[number:], start=1):
            assert count <= burst + (ended - began) * per_s + 1e-6
