"""What one credit opens, and everything that it does not: the whole table of factories, kinds, cycles and days."""

from datetime import timedelta

import pytest

from contracts.access import EntryKind
from contracts.visibility import may_see
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.domain.consent.facts import GrantGiven, GrantRevoked
from services.access.domain.consent.fold import Fold
from services.access.domain.consent.paid import CreditsBought, Entitlement, Purchase
from services.access.domain.credits import NoCredit, balance, ending, spending
from tests.access.entries import TODAY, a_fold, a_grant, signed_next

BUSINESS = (ReportKind.QUALITY_PRODUCTIVITY,)
Opened = set[tuple[str, str, ReportKind, int]]


def paid_fold(*, kinds: tuple[ReportKind, ...] = COMPLIANCE_KINDS) -> Fold:
    """Two factories that share with two buyers; b1 has bought one credit and spent it on f1's third cycle."""
    grants = [
        GrantGiven(grant=a_grant(f"{factory}-{buyer}-{group[0]}", factory_id=factory, buyer_id=buyer, kinds=group))
        for factory in ("f1", "f2")
        for buyer in ("b1", "b2")
        for group in (kinds, BUSINESS)
    ]
    fold, _ = a_fold(*grants, CreditsBought(purchase=Purchase(id="p", buyer_id="b1", credits=1, reference="I-1")))
    fold.apply(signed_next(fold, spending(fold, a_wish("e1", 3), TODAY)))
    return fold


def a_wish(entitlement_id: str, cycle: int, factory_id: str = "f1") -> Entitlement:
    about = {"buyer_id": "b1", "factory_id": factory_id, "cycles": (cycle,), "starts_on": TODAY, "credits": 1}
    return Entitlement(id=entitlement_id, **about)  # type: ignore[arg-type]


def opened(fold: Fold, days: int = 0) -> Opened:
    """All that anybody sees, some days from now."""
    return {
        (buyer, factory, kind, cycle)
        for buyer in ("b1", "b2")
        for factory in ("f1", "f2")
        for kind in ReportKind
        for cycle in range(1, 7)
        if may_see(fold.visible, buyer, factory, kind, TODAY + timedelta(days), cycle)
    }


@pytest.mark.parametrize("days", [0, 180, 3000])
def test_a_credit_opens_the_report_the_plan_and_all_progress_of_one_cycle_of_one_factory_and_nothing_else(
    days: int,
) -> None:
    """Progress is one view of the plan that is as of now, so both progress reports of the cycle are in it."""
    assert opened(paid_fold(), days) == {("b1", "f1", kind, 3) for kind in (*COMPLIANCE_KINDS, *BUSINESS)}


def test_a_credit_opens_no_kind_that_the_factory_did_not_grant() -> None:
    found = opened(paid_fold(kinds=(ReportKind.ASSESSMENT,)))
    assert found == {("b1", "f1", kind, 3) for kind in (ReportKind.ASSESSMENT, *BUSINESS)}


def test_a_credit_opens_what_the_factory_grants_later_and_closes_what_it_takes_back() -> None:
    fold = paid_fold(kinds=(ReportKind.ASSESSMENT,))
    fold.apply(signed_next(fold, GrantGiven(grant=a_grant("later", kinds=(ReportKind.PROGRESS,)))))
    assert ("b1", "f1", ReportKind.PROGRESS, 3) in opened(fold)
    fold.apply(signed_next(fold, GrantRevoked(record_id="later", factory_id="f1", buyer_id="b1")))
    assert ("b1", "f1", ReportKind.PROGRESS, 3) not in opened(fold)


@pytest.mark.parametrize(("cycle", "factory_id"), [(4, "f1"), (2, "f1"), (3, "f2")])
def test_another_cycle_and_another_factory_take_a_credit_of_their_own(cycle: int, factory_id: str) -> None:
    fold = paid_fold()
    assert balance(fold, "b1") == 0
    with pytest.raises(NoCredit):
        spending(fold, a_wish("e2", cycle, factory_id), TODAY)


def test_when_an_entitlement_ends_the_credit_opens_nothing_any_more() -> None:
    fold = paid_fold()
    ended = ending(fold, "e1", reason="Wrong factory", is_returned=True)
    assert ended is not None
    fold.apply(signed_next(fold, ended))
    assert (opened(fold), balance(fold, "b1")) == (set(), 1)
    assert fold.record("e1", EntryKind.ENTITLEMENT_GIVEN) is not None
