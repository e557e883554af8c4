"""How far a plan is, which a factory shares apart from the plan itself."""

import pytest

from contracts.identity import Principal, Role, Shared
from contracts.vocabulary import ReportKind
from tests.support.plans import ADVISOR, FACTORY, LINE, OTHER_FACTORY, URL, a_buyer, a_release
from tests.support.services import Running, a_principal, signed
from tests.support.visits import a_finalised_visit

PROGRESS = f"{URL}/progress"
BOTH = a_principal(
    Role.BUYER,
    party_id="buyer-1",
    shares=dict.fromkeys((ReportKind.IMPROVEMENT_PLAN, ReportKind.PROGRESS), frozenset({"factory-1"})),
)


def of_cycle(cycle: int) -> Principal:
    """A buyer that has paid for one cycle of the factory."""
    shared = Shared(by_cycle=((cycle, frozenset({"factory-1"})),))
    shares = {ReportKind.IMPROVEMENT_PLAN: shared, ReportKind.PROGRESS: shared}
    return Principal(
        subject="b", name="B", roles=frozenset({Role.BUYER}), country="JO", party_id="buyer-1", shares=shares
    )


@pytest.fixture
async def plans(remediation: Running) -> Running:
    """A released plan whose first line is in progress."""
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    await remediation.deliver(a_release(), subject="report-1")
    stated = {"status": "in_progress", "action": "Ask first", "responsible": "Hala"}
    assert (await remediation.http.patch(LINE, headers=signed(FACTORY), json=stated)).status_code == 200
    return remediation


@pytest.mark.parametrize("reader", [ADVISOR, FACTORY, BOTH, a_buyer("factory-1", kind=ReportKind.PROGRESS)])
async def test_progress_counts_lines_and_says_nothing_of_what_is_planned(plans: Running, reader: Principal) -> None:
    answer = await plans.get(PROGRESS, reader)
    assert answer.status_code == 200
    assert answer.json()["reported"] == {"in_progress": 1, "pending": 1}
    assert [line["reported"] for line in answer.json()["lines"]] == ["in_progress", "pending"]
    assert b"Ask first" not in answer.content
    assert (answer.headers["star-kind"], answer.headers["star-cycle"]) == ("progress", "1")


@pytest.mark.parametrize("reader", [OTHER_FACTORY, a_buyer("factory-1"), a_buyer("factory-2"), of_cycle(2)])
async def test_progress_that_is_not_shared_is_not_there(plans: Running, reader: Principal) -> None:
    assert (await plans.get(PROGRESS, reader)).status_code == 404


async def test_a_buyer_without_consent_to_progress_sees_only_what_is_planned(plans: Running) -> None:
    answer = await plans.get(URL, a_buyer("factory-1"))
    line = answer.json()["lines"][0]
    assert (line["action"], line["reported"], line["reported_at"]) == ("Ask first", "pending", None)
    assert answer.headers["star-kind"] == "improvement_plan"
    (listed,) = (await plans.get("/api/v1/plans", a_buyer("factory-1"))).json()["items"]
    assert listed["lines"][0] == line


async def test_a_buyer_with_consent_to_both_sees_both(plans: Running) -> None:
    answer = await plans.get(URL, BOTH)
    assert answer.json()["lines"][0]["reported"] == "in_progress"
    assert answer.headers["star-kind"] == "improvement_plan,progress"


async def test_a_buyer_sees_the_cycle_it_has_paid_for(plans: Running) -> None:
    assert (await plans.get(URL, of_cycle(1))).status_code == 200
    assert (await plans.get(URL, of_cycle(2))).status_code == 404
    assert len((await plans.get("/api/v1/plans", of_cycle(1))).json()["items"]) == 1
    assert (await plans.get("/api/v1/plans", of_cycle(2))).json()["items"] == []
