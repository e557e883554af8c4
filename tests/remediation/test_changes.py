"""What is announced to those who follow a plan: once it is released, what of it changed."""

from datetime import UTC, date, datetime

from contracts.remediation import LineStatus
from contracts.vocabulary import ReportKind
from services.remediation.domain import (
    Plan,
    Progress,
    note_release,
    open_plan,
    recommend_courses,
    report_progress,
    told,
    verify_line,
)
from tests.support.visits import a_finalised_visit

NOW = datetime(2026, 2, 1, 8, tzinfo=UTC)
PLAN, PROGRESS = ReportKind.IMPROVEMENT_PLAN, ReportKind.PROGRESS


def a_released_plan() -> Plan:
    return note_release(open_plan("plan-1", a_finalised_visit(), now=NOW)[0], date(2026, 1, 31))


def kinds(before: Plan, after: Plan) -> list[ReportKind]:
    return [kind for event in told(before, after) for kind in event.kinds]


def test_nothing_is_told_of_a_plan_that_is_not_released() -> None:
    plan, _ = open_plan("plan-1", a_finalised_visit(), now=NOW)
    changed, _ = report_progress(plan, "q-1", Progress(status=LineStatus.COMPLETED), now=NOW)
    assert told(plan, changed) == ()


def test_the_release_tells_of_the_plan_and_of_its_progress() -> None:
    plan, _ = open_plan("plan-1", a_finalised_visit(), now=NOW)
    (event,) = told(plan, note_release(plan, date(2026, 1, 31)))
    assert (event.plan_id, event.factory_id, event.cycle, event.kinds) == ("plan-1", "factory-1", 1, (PLAN, PROGRESS))


def test_another_text_changes_what_is_planned() -> None:
    plan = a_released_plan()
    assert kinds(plan, report_progress(plan, "q-1", Progress(action="Fit guards"), now=NOW)[0]) == [PLAN]


def test_another_status_changes_how_far_it_is() -> None:
    plan = a_released_plan()
    assert kinds(plan, report_progress(plan, "q-1", Progress(status=LineStatus.COMPLETED), now=NOW)[0]) == [PROGRESS]


def test_a_verification_changes_how_far_it_is() -> None:
    plan = a_released_plan()
    verified, _ = verify_line(plan, "q-1", LineStatus.IN_PROGRESS, note="", by="amal", now=NOW)
    assert kinds(plan, verified) == [PROGRESS]


def test_courses_change_what_is_planned() -> None:
    plan = a_released_plan()
    assert kinds(plan, recommend_courses(plan, ("first-aid",))) == [PLAN]


def test_what_changes_nothing_is_not_told() -> None:
    plan = a_released_plan()
    assert told(plan, note_release(plan, date(2026, 1, 31))) == ()
