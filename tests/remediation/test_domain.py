"""The rules of an improvement plan."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import NotFound
from contracts.remediation import LineReportedV1, LineStatus, LineVerifiedV1, PlanOpenedV1
from contracts.vocabulary import Outcome
from services.remediation.domain import (
    NEXT,
    SAME_VERIFICATION,
    ControlCharacter,
    LineCannotMove,
    LineNotReportedCompleted,
    Plan,
    Progress,
    RootCause,
    note_release,
    open_plan,
    recommend_courses,
    report_progress,
    verify_line,
)
from tests.support.visits import a_finalised_visit, an_outcome

NOW = datetime(2026, 2, 1, 8, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 8, tzinfo=UTC)
PENDING, IN_PROGRESS, COMPLETED = LineStatus
MOVES = {
    (PENDING, PENDING): "stays",
    (PENDING, IN_PROGRESS): "moves",
    (PENDING, COMPLETED): "moves",
    (IN_PROGRESS, PENDING): "refused",
    (IN_PROGRESS, IN_PROGRESS): "stays",
    (IN_PROGRESS, COMPLETED): "moves",
    (COMPLETED, PENDING): "refused",
    (COMPLETED, IN_PROGRESS): "moves",
    (COMPLETED, COMPLETED): "stays",
}
WAY_TO = {PENDING: (), IN_PROGRESS: (IN_PROGRESS,), COMPLETED: (COMPLETED,)}


def a_plan(reported: LineStatus = PENDING) -> Plan:
    """A plan with the lines q-1 and q-2, the first reported as told."""
    plan, _ = open_plan("plan-1", a_finalised_visit(), now=NOW)
    for status in WAY_TO[reported]:
        plan, _ = report_progress(plan, "q-1", Progress(status=status), now=NOW)
    return plan


def test_a_plan_has_one_pending_line_per_finding_and_none_for_what_is_fine() -> None:
    visit = a_finalised_visit(findings={"q-1": "overtime", "q-2": "chemicals"}, fine={"q-3": "gender"})
    plan, opened = open_plan("plan-1", visit, now=NOW)
    assert [line.question_id for line in plan.lines] == ["q-1", "q-2"]
    assert {line.reported for line in plan.lines} == {PENDING}
    assert {line.verified for line in plan.lines} == {None}
    assert opened == PlanOpenedV1(plan_id="plan-1", factory_id="factory-1", cycle=1, visit_id="visit-1", lines=2)


def test_a_line_keeps_what_the_finding_is_about() -> None:
    line = a_plan().line("q-2")
    assert (line.global_id, line.cluster, line.compliance_point) == ("G-q-2", "osh", "chemicals")
    assert line.tags == ("zero_tolerance",)


def test_a_visit_without_findings_opens_an_empty_plan() -> None:
    plan, opened = open_plan("plan-1", a_finalised_visit(findings={}), now=NOW)
    assert plan.lines == ()
    assert opened.lines == 0


@pytest.mark.parametrize("outcome", Outcome)
def test_only_non_compliance_is_a_finding(outcome: Outcome) -> None:
    visit = msgspec.structs.replace(a_finalised_visit(), outcomes=(an_outcome("q-1", outcome),))
    plan, _ = open_plan("plan-1", visit, now=NOW)
    assert len(plan.lines) == (outcome is Outcome.NON_COMPLIANT)


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "\x7f", "\x08"])
def test_a_text_that_no_page_can_show_is_refused(text: str) -> None:
    with pytest.raises(ControlCharacter):
        report_progress(a_plan(), "q-1", Progress(action=text), now=NOW)
    with pytest.raises(ControlCharacter):
        report_progress(a_plan(), "q-1", Progress(responsible=text), now=NOW)
    with pytest.raises(ControlCharacter):
        verify_line(a_plan(), "q-1", PENDING, note=text, by="amal", now=NOW)


def test_a_text_may_have_lines_and_is_kept_in_one_normal_form() -> None:
    plan, _ = report_progress(a_plan(), "q-1", Progress(action="Re\u0301union\n\tapre\u0300s"), now=NOW)
    assert plan.line("q-1").action == "Réunion\n\taprès"


def test_the_table_speaks_of_every_status() -> None:
    assert set(NEXT) == set(LineStatus)
    assert set(MOVES) == {(old, new) for old in LineStatus for new in LineStatus}


@pytest.mark.parametrize(("move", "result"), MOVES.items(), ids=str)
def test_every_cell_of_what_a_factory_may_report(move: tuple[LineStatus, LineStatus], result: str) -> None:
    before, reported = move
    plan = a_plan(before)
    if result == "refused":
        with pytest.raises(LineCannotMove):
            report_progress(plan, "q-1", Progress(status=reported), now=LATER)
        return
    changed, events = report_progress(plan, "q-1", Progress(status=reported), now=LATER)
    told = LineReportedV1(plan_id="plan-1", factory_id="factory-1", line_id="q-1", status=reported)
    assert changed.line("q-1").reported is reported
    assert events == ((told,) if result == "moves" else ())
    assert (changed.line("q-1").reported_at == LATER) is (result == "moves")


@given(st.lists(st.sampled_from(LineStatus), max_size=12))
def test_a_line_never_becomes_pending_again(reports: list[LineStatus]) -> None:
    plan, has_moved = a_plan(), False
    for status in reports:
        try:
            plan, events = report_progress(plan, "q-1", Progress(status=status), now=NOW)
        except LineCannotMove:
            continue
        has_moved = has_moved or bool(events)
    assert (plan.line("q-1").reported is PENDING) is not has_moved
    assert plan.line("q-2") == a_plan().line("q-2")


def test_what_a_report_does_not_mention_stays_as_it_is() -> None:
    stated = Progress(action="Fit guards", responsible="Hala", root_cause=RootCause.RESOURCES, due_on=date(2026, 6, 1))
    plan, events = report_progress(a_plan(), "q-1", stated, now=NOW)
    plan, _ = report_progress(plan, "q-1", Progress(status=IN_PROGRESS), now=LATER)
    line = plan.line("q-1")
    assert (line.action, line.responsible, line.root_cause) == ("Fit guards", "Hala", RootCause.RESOURCES)
    assert line.due_on == date(2026, 6, 1)
    assert events == ()


def test_a_text_can_be_emptied() -> None:
    plan, _ = report_progress(a_plan(), "q-1", Progress(action="Fit guards"), now=NOW)
    plan, _ = report_progress(plan, "q-1", Progress(action=""), now=LATER)
    assert plan.line("q-1").action == ""


def test_nobody_reports_on_a_line_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        report_progress(a_plan(), "q-9", Progress(status=COMPLETED), now=NOW)


def test_an_advisor_writes_beside_the_factory_and_never_over_it() -> None:
    before = a_plan(COMPLETED)
    plan, (event,) = verify_line(before, "q-1", IN_PROGRESS, note="Guards are missing", by="amal", now=LATER)
    line = plan.line("q-1")
    assert (line.reported, line.reported_at) == (COMPLETED, before.line("q-1").reported_at)
    assert (line.verified, line.verified_at, line.verified_by) == (IN_PROGRESS, LATER, "amal")
    assert line.verification_note == "Guards are missing"
    assert event == LineVerifiedV1(plan_id="plan-1", factory_id="factory-1", line_id="q-1", status=IN_PROGRESS)


@pytest.mark.parametrize("reported", LineStatus)
@pytest.mark.parametrize("verified", LineStatus)
def test_only_what_the_factory_says_is_fixed_is_verified_as_completed(
    reported: LineStatus, verified: LineStatus
) -> None:
    plan = a_plan(reported)
    if verified is COMPLETED and reported is not COMPLETED:
        with pytest.raises(LineNotReportedCompleted):
            verify_line(plan, "q-1", verified, note="", by="amal", now=NOW)
    else:
        changed, _ = verify_line(plan, "q-1", verified, note="", by="amal", now=NOW)
        assert changed.line("q-1").verified is verified


def test_a_verification_that_is_sent_again_is_the_same_one() -> None:
    plan, _ = verify_line(a_plan(), "q-1", IN_PROGRESS, note="Half", by="amal", now=NOW)
    again = NOW + SAME_VERIFICATION - timedelta(seconds=1)
    assert verify_line(plan, "q-1", IN_PROGRESS, note="Half", by="amal", now=again) == (plan, ())


@pytest.mark.parametrize(
    ("status", "note", "by", "now"),
    [
        (PENDING, "Half", "amal", NOW),
        (IN_PROGRESS, "Most", "amal", NOW),
        (IN_PROGRESS, "Half", "samir", NOW),
        (IN_PROGRESS, "Half", "amal", NOW + SAME_VERIFICATION),
    ],
)
def test_another_status_note_advisor_or_day_is_another_verification(
    status: LineStatus, note: str, by: str, now: datetime
) -> None:
    plan, _ = verify_line(a_plan(), "q-1", IN_PROGRESS, note="Half", by="amal", now=NOW)
    changed, events = verify_line(plan, "q-1", status, note=note, by=by, now=now)
    line = changed.line("q-1")
    assert (line.verified, line.verification_note, line.verified_by, line.verified_at) == (status, note, by, now)
    assert [event.status for event in events] == [status]


def test_recommended_courses_stand_beside_the_plan() -> None:
    assert recommend_courses(a_plan(), ("first-aid", "negotiation")).course_ids == ("first-aid", "negotiation")


def test_the_first_progress_report_is_due_thirty_days_after_the_release() -> None:
    plan = note_release(a_plan(), date(2026, 1, 31))
    assert (plan.report_released_on, plan.progress_due_on) == (date(2026, 1, 31), date(2026, 3, 2))
