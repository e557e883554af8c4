"""Plans as people read them: with the finding statement of each line in every language."""

from collections import Counter
from datetime import date, datetime
from typing import Final

import msgspec

from contracts.assessment import Texts
from contracts.identity import Scope
from contracts.remediation import LineStatus
from contracts.vocabulary import ReportKind
from services.remediation.domain import Line, Plan
from services.remediation.store import Findings, Plans

_PLANNED: Final = (
    "id",
    "question_id",
    "global_id",
    "cluster",
    "compliance_point",
    "tags",
    "root_cause",
    "action",
    "responsible",
    "due_on",
)
"""The fields of a line that say what is planned; the others say how far it is."""


class LineView(Line, frozen=True, kw_only=True):
    """A line with its finding statement by language."""

    finding_texts: Texts


class PlanView(Plan, frozen=True, kw_only=True):
    """A plan whose lines carry their finding statements."""

    lines: tuple[LineView, ...]


class LineProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one line is; ``reported`` is the factory's word, ``verified`` the advisor's."""

    line_id: str
    question_id: str
    cluster: str
    compliance_point: str
    reported: LineStatus
    reported_at: datetime | None
    verified: LineStatus | None
    verified_at: datetime | None


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far a plan is: lines by the factory's word and by the advisors', and each line without what was planned."""

    plan_id: str
    factory_id: str
    cycle: int
    progress_due_on: date | None
    reported: dict[LineStatus, int]
    verified: dict[LineStatus, int]
    lines: tuple[LineProgress, ...]


class PlanPage(msgspec.Struct, frozen=True):
    """One page of plans and the cursor of the next."""

    items: list[PlanView]
    next_cursor: str | None


async def read_plan(plans: Plans, findings: Findings, plan_id: str, scope: Scope) -> PlanView:
    """Read one plan in scope; raises ``NotFound``."""
    return await with_texts(await plans.get(plan_id, scope), findings, scope)


async def list_plans(
    plans: Plans, findings: Findings, scope: Scope, *, factory_id: str | None, limit: int, after: str | None
) -> PlanPage:
    """Read one page of the plans in scope, newest first."""
    page = await plans.find(scope, factory_id=factory_id, limit=limit, after=after)
    return PlanPage([await with_texts(plan, findings, scope) for plan in page.items], page.next_cursor)


async def read_progress(plans: Plans, plan_id: str, scope: Scope) -> ProgressReport:
    """Read how far a plan in scope is; raises ``NotFound``."""
    plan = await plans.get(plan_id, scope, ReportKind.PROGRESS)
    return ProgressReport(
        plan_id=plan.id,
        factory_id=plan.factory_id,
        cycle=plan.cycle,
        progress_due_on=plan.progress_due_on,
        reported=Counter(line.reported for line in plan.lines),
        verified=Counter(line.verified for line in plan.lines if line.verified is not None),
        lines=tuple(
            LineProgress(
                line_id=line.id,
                question_id=line.question_id,
                cluster=line.cluster,
                compliance_point=line.compliance_point,
                reported=line.reported,
                reported_at=line.reported_at,
                verified=line.verified,
                verified_at=line.verified_at,
            )
            for line in plan.lines
        ),
    )


def _shown(line: Line, *, with_progress: bool) -> Line:
    """A line as planned; how far it is, only with the factory's consent to that."""
    if with_progress:
        return line
    return Line(**{name: getattr(line, name) for name in _PLANNED})


async def with_texts(plan: Plan, findings: Findings, scope: Scope) -> PlanView:
    """Put the finding statements beside the lines of a plan."""
    texts = await findings.of(plan.questionnaire_id, scope)
    is_shared = scope.covers(plan.factory_id, ReportKind.PROGRESS, plan.cycle)
    shown = (_shown(line, with_progress=is_shared) for line in plan.lines)
    lines = tuple(
        LineView(**msgspec.structs.asdict(line), finding_texts=texts.get(line.question_id, {})) for line in shown
    )
    return PlanView(**{**msgspec.structs.asdict(plan), "lines": lines})
