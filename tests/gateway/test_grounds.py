"""A read rests on what shows it and on nothing else: its grounds follow the rule by which the buyer sees it."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.access import ConsentAnswer, EntryKind
from contracts.reads import MOST_GROUNDS
from contracts.visibility import Fold, grounds, may_see
from contracts.vocabulary import ReportKind
from gateway.replica import Replica
from tests.gateway.test_visibility import TODAY, A, P, entry, paid, partner

BEGINS: dict[str, Any] = {"starts_on": TODAY, "kinds": (A,)}
CYCLES = (1, 2, 3)


def resting_on(fold: Fold, kinds: Iterable[ReportKind] = (A,), cycles: Iterable[int] = ()) -> list[str]:
    return [each.grant_id for each in grounds(fold.buyer("b1"), "f1", kinds, cycles, TODAY)]


def test_a_read_rests_on_the_disclosure_of_its_cycle_and_on_no_suspended_grant() -> None:
    fold = partner()
    fold.apply(entry(fold, EntryKind.GRANT_GIVEN, **{**BEGINS, "kinds": tuple(ReportKind)}))
    assert resting_on(fold, cycles=(1,)) == ["g1"]
    fold.apply(entry(fold, EntryKind.SHARING_SUSPENDED, "a1"))
    for cycle in (1, 2):
        fold.apply(entry(fold, EntryKind.DISCLOSURE_MADE, f"d{cycle}", cycles=(cycle,), **BEGINS))
    assert resting_on(fold, cycles=(1,)) == ["d1"]
    assert resting_on(fold, cycles=(1, 2)) == ["d2", "d1"]
    assert resting_on(fold, (P,), (1,)) == []


def test_a_read_rests_on_no_grant_of_a_cycle_that_is_not_paid_for() -> None:
    assert resting_on(paid(3), cycles=(3,)) == ["g1"]
    assert resting_on(paid(3), cycles=(2,)) == []
    assert resting_on(paid(3)) == ["g1"]


def test_what_a_closed_buyer_reads_rests_on_nothing() -> None:
    fold = paid(3)
    fold.apply(entry(fold, EntryKind.BUYER_CLOSED, "b1", ""))
    assert resting_on(fold, cycles=(3,)) == []


def test_of_more_grants_than_a_record_holds_the_newest_are_told() -> None:
    replica = Replica(today=lambda: TODAY)
    fold = partner()
    entries = [entry(fold, EntryKind.ENTITLEMENT_GIVEN, "e1", "", epoch=1, previous_hash="0" * 64, starts_on=TODAY)]
    for number in range(MOST_GROUNDS + 1):
        before = entries[-1]
        more: dict[str, Any] = {"epoch": before.epoch + 1, "previous_hash": before.hash, "hash": f"{number:064x}"}
        entries.append(entry(fold, EntryKind.GRANT_GIVEN, f"g{number}", **more, **BEGINS))
    replica.take(ConsentAnswer(entries=tuple(entries), epoch=len(entries), lease_s=0), sent_at=0)
    found = replica.grounds("b1", "f1", (A,), (1,))
    assert (len(found), found[0], found[-1]) == (MOST_GROUNDS, f"g{MOST_GROUNDS}", "g1")


BEGUN = st.tuples(
    st.sampled_from([EntryKind.GRANT_GIVEN, EntryKind.DISCLOSURE_MADE, EntryKind.ENTITLEMENT_GIVEN]),
    st.sampled_from(["f1", "f2"]),
    st.sets(st.sampled_from([A, P]), min_size=1),
    st.sets(st.sampled_from(CYCLES)),
    st.sampled_from([date(2026, 3, 9), date(2026, 3, 11)]),
)


@given(st.lists(BEGUN, max_size=8), st.booleans())
def test_what_is_seen_has_grounds_and_what_is_not_has_none(
    begun: list[tuple[EntryKind, str, set[ReportKind], set[int], date]],
    is_suspended: bool,  # noqa: FBT001 - as hypothesis gives it
) -> None:
    fold = Fold()
    for number, (kind, factory_id, kinds, cycles, starts_on) in enumerate(begun):
        content: dict[str, Any] = {"kinds": tuple(kinds), "cycles": tuple(cycles), "starts_on": starts_on}
        fold.apply(entry(fold, kind, f"x{number}", factory_id, **content))
    if is_suspended:
        fold.apply(entry(fold, EntryKind.SHARING_SUSPENDED, "a1"))
    for report in (A, P):
        for cycle in CYCLES:
            assert bool(resting_on(fold, (report,), (cycle,))) is may_see(fold, "b1", "f1", report, TODAY, cycle)
