"""What remediation does with the events of others: once, in any order, and never lost."""

from pathlib import Path

import pytest

from contracts.assessment import QuestionnairePublishedV1, QuestionV1
from contracts.events import Event
from contracts.remediation import PlanOpenedV1
from contracts.vocabulary import AnswerType, QuestionKind
from services.remediation.app import make_service
from services.runtime.bus import Ack, Park, Retry
from tests.support.plans import ADVISOR, FACTORY, LINE, PLAN, URL, a_recommendation, a_release
from tests.support.services import Running, running_service, signed
from tests.support.visits import a_finalised_visit


def a_questionnaire() -> QuestionnairePublishedV1:
    judged = QuestionV1(
        id="q-1",
        global_id="G-q-1",
        kind=QuestionKind.NON_COMPLIANCE,
        cluster="working_time",
        compliance_point="overtime",
        answer_type=AnswerType.YES_NO,
        texts={"en": "Is overtime voluntary?"},
        finding_texts={"en": "Overtime is not voluntary.", "ar": "العمل الإضافي ليس طوعيا."},
    )
    fact = QuestionV1(
        id="q-2",
        global_id="G-q-2",
        kind=QuestionKind.FACT,
        cluster="osh",
        compliance_point=None,
        answer_type=AnswerType.INTEGER,
        texts={"en": "How many?"},
        finding_texts={"en": "Never printed."},
    )
    return QuestionnairePublishedV1(
        questionnaire_id="questionnaire-1",
        country="JO",
        industry="C14",
        version="1",
        titles={"en": "Garments"},
        languages=("en", "ar"),
        questions=(judged, fact),
    )


async def test_a_finalised_visit_opens_a_plan_and_says_so(remediation: Running) -> None:
    assert await remediation.deliver(a_finalised_visit(), subject="visit-1") == Ack()
    (opened,) = await remediation.until_announced(PlanOpenedV1)
    assert (opened.plan_id, opened.factory_id, opened.lines) == (PLAN, "factory-1", 2)
    assert (await remediation.get(URL, ADVISOR)).json()["visit_id"] == "visit-1"


async def test_a_visit_that_is_delivered_twice_opens_one_plan(remediation: Running) -> None:
    for _ in range(2):
        assert await remediation.deliver(a_finalised_visit(), subject="visit-1") == Ack()
    await remediation.deliver(a_finalised_visit("visit-2"), subject="visit-2")
    opened = await remediation.until_announced(PlanOpenedV1, 2)
    assert sorted(event.visit_id for event in opened) == ["visit-1", "visit-2"]
    plans = (await remediation.get("/api/v1/plans", ADVISOR)).json()["items"]
    assert sorted(plan["visit_id"] for plan in plans) == ["visit-1", "visit-2"]


@pytest.mark.parametrize("event", [a_recommendation(), a_release()], ids=["recommendation", "release"])
async def test_what_arrives_before_the_plan_waits_for_it(remediation: Running, event: Event) -> None:
    assert isinstance(await remediation.deliver(event, subject="early"), Retry)
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    assert await remediation.deliver(event, subject="early") == Ack()


async def test_recommended_courses_are_shown_beside_the_plan(remediation: Running) -> None:
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    await remediation.deliver(a_recommendation("visit-1", "first-aid", "negotiation"), subject="r-1")
    assert (await remediation.get(URL, ADVISOR)).json()["course_ids"] == ["first-aid", "negotiation"]


async def test_an_older_recommendation_never_replaces_a_newer_one(remediation: Running) -> None:
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    await remediation.deliver(a_recommendation("visit-1", "newer"), subject="r-1", sequence=2)
    assert await remediation.deliver(a_recommendation("visit-1", "older"), subject="r-1", sequence=1) == Ack()
    assert (await remediation.get(URL, ADVISOR)).json()["course_ids"] == ["newer"]


async def test_a_release_starts_the_clock_of_the_progress_report(remediation: Running) -> None:
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    await remediation.deliver(a_release(released_on="2026-02-01"), subject="report-1")
    plan = (await remediation.get(URL, FACTORY)).json()
    assert (plan["report_released_on"], plan["progress_due_on"]) == ("2026-02-01", "2026-03-03")


async def test_a_release_that_is_delivered_again_does_not_undo_what_came_after(remediation: Running) -> None:
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    await remediation.deliver(a_release(), subject="report-1")
    await remediation.http.patch(LINE, headers=signed(FACTORY), json={"status": "in_progress"})
    before = (await remediation.get(URL, FACTORY)).json()
    assert await remediation.deliver(a_release(), subject="report-1") == Ack()
    assert (await remediation.get(URL, FACTORY)).json() == before


async def test_an_older_release_never_moves_the_clock_back(remediation: Running) -> None:
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    await remediation.deliver(a_release(released_on="2026-02-10"), subject="report-1", sequence=2)
    assert await remediation.deliver(a_release(released_on="2026-02-01"), subject="report-1", sequence=1) == Ack()
    assert (await remediation.get(URL, FACTORY)).json()["report_released_on"] == "2026-02-10"


async def test_a_line_prints_the_finding_statement_of_its_question_in_every_language(remediation: Running) -> None:
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    assert [line["finding_texts"] for line in (await remediation.get(URL, FACTORY)).json()["lines"]] == [{}, {}]
    for _ in range(2):
        assert await remediation.deliver(a_questionnaire(), subject="questionnaire-1") == Ack()
    printed, unknown = (await remediation.get(URL, FACTORY)).json()["lines"]
    assert printed["finding_texts"] == {"en": "Overtime is not voluntary.", "ar": "العمل الإضافي ليس طوعيا."}
    assert unknown["finding_texts"] == {}


async def test_a_message_that_cannot_be_read_is_put_aside(remediation: Running) -> None:
    class Wrong(PlanOpenedV1, frozen=True, kw_only=True):
        """A body that is not what its type says."""

        type = "assessment.visit.finalised.v1"

    event = Wrong(plan_id="p", factory_id="f", cycle=1, visit_id="v", lines=0)
    assert isinstance(await remediation.deliver(event, subject="visit-1"), Park)


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    async with running_service(make_service, tmp_path) as running:
        await running.deliver(a_finalised_visit(), subject="visit-1")
        await running.deliver(a_questionnaire(), subject="questionnaire-1")
        await running.http.patch(LINE, headers=signed(FACTORY), json={"status": "in_progress", "action": "Ask first"})
        before = (await running.get(URL, ADVISOR)).json()
    async with running_service(make_service, tmp_path) as running:
        assert (await running.get(URL, ADVISOR)).json() == before
        assert await running.deliver(a_finalised_visit(), subject="visit-1") == Ack()
        assert (await running.get(URL, ADVISOR)).json() == before
