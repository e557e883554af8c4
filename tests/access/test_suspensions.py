"""Several sides may want one suspension: each with its reason, and nobody is told of one that did not begin."""

import pytest

from services.access.domain.agreement import Side
from services.access.domain.consent.agreed import SharingSuspended
from services.access.domain.consent.fold import Fold
from services.access.domain.notice import NoticeKind, notices
from services.access.domain.suspension import resumption, suspension, wanting
from tests.access.entries import a_fold, an_agreement, signed_next

AGREEMENT = an_agreement()
FACTORY_S, PROGRAMME_S = "Unpaid orders", "A complaint is looked into"


@pytest.fixture
def fold() -> Fold:
    """A ledger on which the factory, and then the programme, suspended the agreement."""
    found, _ = a_fold()
    for side, reason in ((Side.FACTORY, FACTORY_S), (Side.PROGRAMME, PROGRAMME_S)):
        said = suspension(found, AGREEMENT, side, reason)
        assert said is not None
        found.apply(signed_next(found, said))
    return found


@pytest.mark.parametrize(
    ("lifting", "left"), [(Side.PROGRAMME, {"factory": FACTORY_S}), (Side.FACTORY, {"programme": PROGRAMME_S})]
)
def test_who_lifts_its_own_leaves_the_others_with_their_reason_and_tells_nobody_of_a_suspension(
    fold: Fold, lifting: Side, left: dict[str, str]
) -> None:
    assert wanting(fold, "a1") == {"factory": FACTORY_S, "programme": PROGRAMME_S}
    told = list(notices(fold))
    said = resumption(fold, AGREEMENT, lifting)
    assert said is not None
    fold.apply(signed_next(fold, said))
    assert wanting(fold, "a1") == left
    assert list(notices(fold)) == told
    assert said.event(fold.epoch) is None
    assert [each.kind for each in told] == [NoticeKind.SHARING_SUSPENDED] * 2


def test_a_suspension_of_before_reasons_were_kept_apart_has_the_one_that_was_said() -> None:
    old = SharingSuspended(record_id="a1", factory_id="f1", buyer_id="b1", reason=FACTORY_S, sides=("factory",))
    fold, _ = a_fold(old)
    assert wanting(fold, "a1") == {"factory": FACTORY_S}
    assert set(old.sealed()) == {"reason", "sides"}
