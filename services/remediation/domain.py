"""The rules of an improvement plan: no I/O, no clock."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from contracts.assessment import VisitFinalisedV1
from contracts.errors import Malformed, NotFound, RuleBroken
from contracts.remediation import LineReportedV1, LineStatus, LineVerifiedV1, PlanChangedV1, PlanOpenedV1
from contracts.vocabulary import Outcome, ReportKind

PROGRESS_REPORT_AFTER: Final = timedelta(days=30)
"""The first progress report is due within 30 days of the release of the assessment report."""

SAME_VERIFICATION: Final = timedelta(days=1)
"""An advisor on a bad line sends again what is not known to have arrived; the next visit is another day."""

NEXT: Final[Mapping[LineStatus, frozenset[LineStatus]]] = {
    LineStatus.PENDING: frozenset({LineStatus.IN_PROGRESS, LineStatus.COMPLETED}),
    LineStatus.IN_PROGRESS: frozenset({LineStatus.COMPLETED}),
    LineStatus.COMPLETED: frozenset({LineStatus.IN_PROGRESS}),
}
"""What a factory may report next; a completed line that failed again goes back to in progress."""


_SAID: Final = ("reported", "reported_at", "verified", "verified_at", "verified_by", "verification_note")
"""The fields of a line that say how far it is; the others say what is planned."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class RootCause(StrEnum):
    """Why a finding came about."""

    POLICY = "policy"
    PROCEDURE = "procedure"
    COMMUNICATION = "communication"
    TRAINING = "training"
    RESPONSIBILITY = "responsibility"
    MONITORING = "monitoring"
    RESOURCES = "resources"
    BUYER_PRESSURE = "buyer_pressure"


class LineCannotMove(RuleBroken):
    """The reported status does not follow from the present one."""

    code = "line_cannot_move"


class LineNotReportedCompleted(RuleBroken):
    """Only what the factory says is fixed is verified as completed."""

    code = "line_not_reported_completed"


class ControlCharacter(Malformed):
    """A text holds a character that no page can show."""

    code = "control_character"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One finding and what is done about it; ``reported`` is the factory's word, ``verified`` the advisor's."""

    id: str
    question_id: str
    global_id: str
    cluster: str
    compliance_point: str
    tags: tuple[str, ...] = ()
    root_cause: RootCause | None = None
    action: str = ""
    responsible: str = ""
    due_on: date | None = None
    reported: LineStatus = LineStatus.PENDING
    reported_at: datetime | None = None
    verified: LineStatus | None = None
    verified_at: datetime | None = None
    verified_by: str = ""
    verification_note: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A factory's improvement plan for one visit: one plan serves all its buyers."""

    id: str
    factory_id: str
    cycle: int
    visit_id: str
    questionnaire_id: str
    opened_at: datetime
    lines: tuple[Line, ...]
    course_ids: tuple[str, ...] = ()
    report_released_on: date | None = None
    progress_due_on: date | None = None

    def line(self, line_id: str) -> Line:
        """The line with this id; raises ``NotFound``."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise NotFound("The plan has no such line.")

    def with_line(self, changed: Line) -> "Plan":
        """The plan with one line replaced."""
        lines = tuple(changed if line.id == changed.id else line for line in self.lines)
        return msgspec.structs.replace(self, lines=lines)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory reports on a line; what is absent stays as it is."""

    status: LineStatus | None = None
    action: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    responsible: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    root_cause: RootCause | None = None
    due_on: date | None = None


def open_plan(plan_id: str, visit: VisitFinalisedV1, *, now: datetime) -> tuple[Plan, PlanOpenedV1]:
    """Open the plan of a finalised visit: one pending line per finding."""
    lines = tuple(
        Line(
            id=outcome.question_id,
            question_id=outcome.question_id,
            global_id=outcome.global_id,
            cluster=outcome.cluster,
            compliance_point=outcome.compliance_point,
            tags=outcome.tags,
        )
        for outcome in visit.outcomes
        if outcome.outcome is Outcome.NON_COMPLIANT
    )
    plan = Plan(
        id=plan_id,
        factory_id=visit.factory_id,
        cycle=visit.cycle,
        visit_id=visit.visit_id,
        questionnaire_id=visit.questionnaire_id,
        opened_at=now,
        lines=lines,
    )
    opened = PlanOpenedV1(
        plan_id=plan_id,
        factory_id=visit.factory_id,
        cycle=visit.cycle,
        visit_id=visit.visit_id,
        lines=len(lines),
    )
    return plan, opened


def report_progress(
    plan: Plan, line_id: str, progress: Progress, *, now: datetime
) -> tuple[Plan, tuple[LineReportedV1, ...]]:
    """Take the factory's word on a line; a status that is repeated changes nothing."""
    line = plan.line(line_id)
    status = progress.status or line.reported
    if status is not line.reported and status not in NEXT[line.reported]:
        raise LineCannotMove(f"A line that is {line.reported} cannot become {status}.")
    stated = {name: value for name, value in msgspec.structs.asdict(progress).items() if value is not None}
    stated.pop("status", None)
    written = {name: _shown_text(value) for name, value in stated.items() if name in {"action", "responsible"}}
    changed = msgspec.structs.replace(line, **{**stated, **written})
    if status is line.reported:
        return plan.with_line(changed), ()
    changed = msgspec.structs.replace(changed, reported=status, reported_at=now)
    event = LineReportedV1(plan_id=plan.id, factory_id=plan.factory_id, line_id=line_id, status=status)
    return plan.with_line(changed), (event,)


def verify_line(
    plan: Plan, line_id: str, status: LineStatus, *, note: str, by: str, now: datetime
) -> tuple[Plan, tuple[LineVerifiedV1, ...]]:
    """Record what an advisor saw on site, beside the factory's word and never over it.

    The same words of the same person within ``SAME_VERIFICATION`` are the same verification, sent again.
    """
    line = plan.line(line_id)
    if status is LineStatus.COMPLETED and line.reported is not LineStatus.COMPLETED:
        raise LineNotReportedCompleted("The factory has not reported this line as completed.")
    seen = _shown_text(note)
    is_same = (line.verified, line.verified_by, line.verification_note) == (status, by, seen)
    if is_same and line.verified_at is not None and now - line.verified_at < SAME_VERIFICATION:
        return plan, ()
    changed = msgspec.structs.replace(line, verified=status, verified_at=now, verified_by=by, verification_note=seen)
    event = LineVerifiedV1(plan_id=plan.id, factory_id=plan.factory_id, line_id=line_id, status=status)
    return plan.with_line(changed), (event,)


def recommend_courses(plan: Plan, course_ids: tuple[str, ...]) -> Plan:
    """Show the recommended courses beside the plan."""
    return msgspec.structs.replace(plan, course_ids=course_ids)


def note_release(plan: Plan, released_on: date) -> Plan:
    """Start the clock of the first progress report, and let granted buyers see the plan."""
    due = released_on + PROGRESS_REPORT_AFTER
    return msgspec.structs.replace(plan, report_released_on=released_on, progress_due_on=due)


def told(before: Plan, after: Plan) -> tuple[PlanChangedV1, ...]:
    """What is announced of a change of what buyers may read; nothing before the plan is released to them."""
    if after.report_released_on is None:
        return ()
    is_new = before.report_released_on is None
    pairs = list(zip(before.lines, after.lines, strict=True))
    is_said = any(getattr(old, name) != getattr(new, name) for old, new in pairs for name in _SAID)
    is_planned = before.course_ids != after.course_ids or any(_planned(old) != _planned(new) for old, new in pairs)
    changes = {ReportKind.IMPROVEMENT_PLAN: is_planned, ReportKind.PROGRESS: is_said}
    kinds = tuple(kind for kind, is_changed in changes.items() if is_new or is_changed)
    event = PlanChangedV1(plan_id=after.id, factory_id=after.factory_id, cycle=after.cycle, kinds=kinds)
    return (event,) if kinds else ()


def _planned(line: Line) -> dict[str, object]:
    return {name: getattr(line, name) for name in Line.__struct_fields__ if name not in _SAID}


def _shown_text(text: str) -> str:
    """The text in NFC, so that equal words are equal; raises ``ControlCharacter``."""
    if _CONTROL.search(text):
        raise ControlCharacter("A text holds a control character.")
    return unicodedata.normalize("NFC", text)
