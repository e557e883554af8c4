"""One function decides what a buyer may see, and the shares are exactly what it says."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.access import ConsentEntry, EntryKind
from contracts.vocabulary import ReportKind
from gateway.visibility import GENESIS, DoesNotConnect, Fold, may_see, shares

TODAY = date(2026, 3, 10)
A, P = ReportKind.ASSESSMENT, ReportKind.IMPROVEMENT_PLAN


def entry(fold: Fold, kind: EntryKind, grant_id: str = "g1", factory_id: str = "f1", **more: object) -> ConsentEntry:
    fields: dict[str, object] = {
        "epoch": fold.epoch + 1,
        "previous_hash": fold.hash,
        "hash": f"{fold.epoch + 1:064x}",
        "kind": kind,
        "grant_id": grant_id,
        "factory_id": factory_id,
        "buyer_id": "b1",
        **more,
    }
    return ConsentEntry(**fields)  # type: ignore[arg-type]


def granted(**more: object) -> Fold:
    fold = Fold()
    fold.apply(entry(fold, EntryKind.GRANT_GIVEN, **{"kinds": (A,), "starts_on": TODAY, **more}))  # type: ignore[arg-type]
    return fold


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "is_visible"),
    [
        (TODAY, None, True),
        (TODAY, TODAY, True),
        (TODAY - timedelta(1), TODAY + timedelta(1), True),
        (TODAY + timedelta(1), None, False),
        (TODAY - timedelta(9), TODAY - timedelta(1), False),
    ],
)
def test_a_grant_holds_from_its_first_day_to_its_last(
    starts_on: date,
    ends_on: date | None,
    is_visible: bool,  # noqa: FBT001
) -> None:
    assert may_see(granted(starts_on=starts_on, ends_on=ends_on), "b1", "f1", A, TODAY) is is_visible


def test_a_grant_covers_the_kinds_it_names() -> None:
    assert not may_see(granted(), "b1", "f1", P, TODAY)


def test_a_grant_is_for_one_buyer_and_one_factory() -> None:
    fold = granted()
    assert not may_see(fold, "b2", "f1", A, TODAY)
    assert not may_see(fold, "b1", "f2", A, TODAY)


def test_a_revoked_grant_shows_nothing() -> None:
    fold = granted()
    fold.apply(entry(fold, EntryKind.GRANT_REVOKED))
    assert not may_see(fold, "b1", "f1", A, TODAY)


def test_a_revocation_leaves_the_other_grants() -> None:
    fold = granted()
    fold.apply(entry(fold, EntryKind.GRANT_GIVEN, "g2", kinds=(A,), starts_on=TODAY))
    fold.apply(entry(fold, EntryKind.GRANT_REVOKED))
    assert may_see(fold, "b1", "f1", A, TODAY)


@pytest.mark.parametrize("change", [{"epoch": 1}, {"epoch": 3}, {"previous_hash": GENESIS}])
def test_an_entry_that_does_not_connect_is_refused(change: dict[str, object]) -> None:
    fold = granted()
    with pytest.raises(DoesNotConnect):
        fold.apply(entry(fold, EntryKind.GRANT_REVOKED, **change))  # type: ignore[arg-type]


STEPS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(["g1", "g2", "g3", "g4"]),
        st.sampled_from(["f1", "f2", "f3"]),
        st.sets(st.sampled_from(list(ReportKind)), min_size=1),
        st.integers(-3, 3),
        st.none() | st.integers(-3, 3),
    ),
    max_size=25,
)


@given(STEPS)
def test_the_shares_are_what_the_one_function_says(
    steps: list[tuple[bool, str, str, set[ReportKind], int, int | None]],
) -> None:
    fold = Fold()
    for is_given, grant_id, factory_id, kinds, start, end in steps:
        kind = EntryKind.GRANT_GIVEN if is_given else EntryKind.GRANT_REVOKED
        ends_on = None if end is None else TODAY + timedelta(end)
        starts_on = TODAY + timedelta(start)
        fold.apply(entry(fold, kind, grant_id, factory_id, kinds=tuple(kinds), starts_on=starts_on, ends_on=ends_on))
    shared = shares(fold, "b1", TODAY)
    for report in ReportKind:
        for factory_id in ("f1", "f2", "f3", "f4"):
            assert (factory_id in shared[report]) is may_see(fold, "b1", factory_id, report, TODAY)
