"""A visit between two advisors and their leader: returned, corrected, answered twice."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.country import ADVISORS, FINDINGS, Country

pytestmark = pytest.mark.timeout(180)


async def test_the_leader_returns_a_visit_and_the_advisors_correct_it(country: Country) -> None:
    factory = await country.factory()
    visit_id = await country.scheduled_visit(factory)
    path = f"/visits/{visit_id}"
    await country.answer_all(visit_id)
    await country.sign(visit_id)
    await country.do("leader", "POST", f"{path}/return", {"reason": "Look at the exits again"})
    too_early = await country.person("leader").call("POST", f"{path}/finalisation")
    assert (too_early.status, too_early.json["code"]) == (409, "visit_cannot_move")
    returned = (await country.do("advisor-1", "GET", path)).json
    assert (returned["stage"], returned["returned_reason"]) == ("returned", "Look at the exits again")
    assert returned["signatures"] == []
    question = next(each for each in (await country.form())["questions"] if each["id"] == FINDINGS[0])
    good = "no" if question["polarity"] == "yes_is_non_compliant" else "yes"
    await country.answer(visit_id, ADVISORS[0], {FINDINGS[0]: good})
    await country.do(ADVISORS[0], "POST", f"{path}/submission")
    half_signed = await country.person("leader").call("POST", f"{path}/finalisation")
    assert half_signed.status == 409, "the other advisor has not signed the corrected visit"
    await country.do(ADVISORS[1], "POST", f"{path}/submission")
    await country.do("leader", "POST", f"{path}/finalisation")
    case = await country.followed_up(factory, visit_id)
    plan = (await country.do("leader", "GET", f"/plans/{case.plan_id}")).json
    assert [line["question_id"] for line in plan["lines"]] == [FINDINGS[1]]
    refused = await country.person("advisor-1").call(
        "PUT", f"{path}/answers", {"answers": [{"question_id": FINDINGS[0], "value": "yes"}]}
    )
    assert refused.status == 409


@pytest.mark.parametrize("first_to_arrive", [0, 1])
async def test_of_two_advisors_answers_the_newest_counts_whenever_it_arrives(
    country: Country, first_to_arrive: int
) -> None:
    visit_id = await country.scheduled_visit(await country.factory())
    now = datetime.now(UTC)
    answers = [(ADVISORS[0], "yes", now - timedelta(minutes=9)), (ADVISORS[1], "no", now - timedelta(minutes=1))]
    for advisor, value, at in (answers[first_to_arrive], answers[1 - first_to_arrive]):
        done = await country.answer(visit_id, advisor, {FINDINGS[0]: value}, at=at)
    assert done["conflicts"] == [FINDINGS[0]]
    visit = (await country.do("leader", "GET", f"/visits/{visit_id}")).json
    stands = next(each for each in visit["answers"] if each["question_id"] == FINDINGS[0])
    assert (stands["value"], stands["is_conflict"]) == ("no", True)
    assert {each["by"]: each["value"] for each in stands["given"]} == {ADVISORS[0]: "yes", ADVISORS[1]: "no"}
    await country.answer(visit_id, ADVISORS[0], {FINDINGS[0]: "no"})
    assert (await country.do("leader", "GET", f"/visits/{visit_id}")).json["conflicts"] == []


async def test_an_answer_that_was_held_up_on_the_way_does_not_undo_a_later_one(country: Country) -> None:
    visit_id = await country.scheduled_visit(await country.factory())
    now = datetime.now(UTC)
    await country.answer(visit_id, ADVISORS[0], {FINDINGS[0]: "no"}, at=now)
    late = await country.answer(visit_id, ADVISORS[0], {FINDINGS[0]: "yes"}, at=now - timedelta(hours=1))
    assert late["superseded"] == [FINDINGS[0]]
    visit = (await country.do("leader", "GET", f"/visits/{visit_id}")).json
    assert next(each["value"] for each in visit["answers"] if each["question_id"] == FINDINGS[0]) == "no"
