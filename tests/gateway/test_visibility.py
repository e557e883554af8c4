"""One function decides what a buyer may see, and the shares are exactly what it says."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.access import ConsentEntry, EntryKind, member_digest
from contracts.ledger import GENESIS
from contracts.visibility import DoesNotConnect, Fold, may_see, shares
from contracts.vocabulary import ReportKind

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


def partner() -> Fold:
    fold = Fold()
    fold.apply(entry(fold, EntryKind.ENTITLEMENT_GIVEN, "e1", "", starts_on=TODAY - timedelta(30)))
    return fold


def granted(**more: object) -> Fold:
    fold = partner()
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


def paid(*cycles: int, factory_id: str = "f1", **more: object) -> Fold:
    """A grant of everything to a participant that has paid for some cycles."""
    fold = Fold()
    fold.apply(entry(fold, EntryKind.GRANT_GIVEN, kinds=(A, P), starts_on=TODAY))
    content = {"cycles": cycles, "starts_on": TODAY, **more}
    fold.apply(entry(fold, EntryKind.ENTITLEMENT_GIVEN, "e1", factory_id, **content))
    return fold


def test_nothing_opens_until_it_is_paid_for() -> None:
    fold = Fold()
    fold.apply(entry(fold, EntryKind.GRANT_GIVEN, kinds=(A,), starts_on=TODAY))
    assert not may_see(fold, "b1", "f1", A, TODAY)


def test_a_credit_opens_one_cycle_of_one_factory() -> None:
    fold = paid(3)
    assert may_see(fold, "b1", "f1", A, TODAY, 3)
    assert not may_see(fold, "b1", "f1", A, TODAY, 2)
    assert shares(fold, "b1", TODAY)[A].by_cycle == ((3, frozenset({"f1"})),)
    assert not may_see(paid(3, factory_id="f2"), "b1", "f1", A, TODAY, 3)


def test_what_was_paid_for_ends_with_its_last_day_and_with_its_end() -> None:
    assert not may_see(paid(ends_on=TODAY), "b1", "f1", A, TODAY + timedelta(1))
    fold = paid()
    fold.apply(entry(fold, EntryKind.ENTITLEMENT_ENDED, "e1"))
    assert not may_see(fold, "b1", "f1", A, TODAY)


def test_a_suspended_agreement_stops_grants_until_it_is_resumed() -> None:
    fold = granted()
    fold.apply(entry(fold, EntryKind.SHARING_SUSPENDED, "a1"))
    assert not may_see(fold, "b1", "f1", A, TODAY)
    fold.apply(entry(fold, EntryKind.SHARING_RESUMED, "a1"))
    assert may_see(fold, "b1", "f1", A, TODAY)


def test_a_disclosure_needs_neither_grant_nor_credit_and_outlives_a_suspension() -> None:
    fold = Fold()
    fold.apply(entry(fold, EntryKind.DISCLOSURE_MADE, "d1", kinds=(A,), cycles=(2,), starts_on=TODAY))
    fold.apply(entry(fold, EntryKind.SHARING_SUSPENDED, "a1"))
    assert may_see(fold, "b1", "f1", A, TODAY, 2)
    assert not may_see(fold, "b1", "f1", A, TODAY, 1)
    assert not may_see(fold, "b1", "f1", P, TODAY, 2)
    fold.apply(entry(fold, EntryKind.DISCLOSURE_ENDED, "d1"))
    assert not may_see(fold, "b1", "f1", A, TODAY, 2)


def test_a_closed_buyer_sees_nothing_until_it_is_reopened() -> None:
    fold = granted()
    fold.apply(entry(fold, EntryKind.BUYER_CLOSED, "b1", ""))
    assert not may_see(fold, "b1", "f1", A, TODAY)
    fold.apply(entry(fold, EntryKind.BUYER_REOPENED, "b1", ""))
    assert may_see(fold, "b1", "f1", A, TODAY)


def test_anybody_acts_for_a_buyer_until_it_names_its_staff() -> None:
    fold = Fold()
    assert fold.is_member("b1", "rana")
    for kind, subject in ((EntryKind.MEMBER_ADMITTED, "rana"), (EntryKind.MEMBER_ADMITTED, "omar")):
        fold.apply(entry(fold, kind, subject, "", member=member_digest("b1", subject)))
    assert fold.is_member("b1", "rana")
    assert not fold.is_member("b1", "someone")
    for subject in ("rana", "omar"):
        fold.apply(entry(fold, EntryKind.MEMBER_LEFT, subject, "", member=member_digest("b1", subject)))
    assert not fold.is_member("b1", "rana"), "a buyer whose staff all left has nobody"


def test_a_factory_is_its_group_s_from_when_it_joined_until_it_left() -> None:
    fold = Fold()
    for kind, factory_id, group_id in (
        (EntryKind.GROUP_JOINED, "f1", "g1"),
        (EntryKind.GROUP_JOINED, "f2", "g1"),
        (EntryKind.GROUP_LEFT, "f2", "g1"),
        (EntryKind.GROUP_JOINED, "f2", "g2"),
    ):
        fold.apply(entry(fold, kind, factory_id, factory_id, buyer_id="", group_id=group_id))
    assert [fold.owned(group_id) for group_id in ("g1", "g2", "g3")] == [{"f1"}, {"f2"}, set()]
    assert not may_see(fold, "g1", "f1", A, TODAY), "a group is no buyer"


@pytest.mark.parametrize("change", [{"epoch": 2}, {"epoch": 4}, {"previous_hash": GENESIS}])
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
    fold = partner()
    for is_given, grant_id, factory_id, kinds, start, end in steps:
        kind = EntryKind.GRANT_GIVEN if is_given else EntryKind.GRANT_REVOKED
        ends_on = None if end is None else TODAY + timedelta(end)
        starts_on = TODAY + timedelta(start)
        fold.apply(entry(fold, kind, grant_id, factory_id, kinds=tuple(kinds), starts_on=starts_on, ends_on=ends_on))
    shared = shares(fold, "b1", TODAY)
    for report in ReportKind:
        for factory_id in ("f1", "f2", "f3", "f4"):
            assert shared[report].covers(factory_id) is may_see(fold, "b1", factory_id, report, TODAY)
