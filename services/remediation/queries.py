"""Plans as people read them: with the finding statement of each line in every language."""

import msgspec

from contracts.assessment import Texts
from contracts.identity import Scope
from services.remediation.domain import Line, Plan
from services.remediation.store import Findings, Plans


class LineView(Line, frozen=True, kw_only=True):
    """A line with its finding statement by language."""

    finding_texts: Texts


class PlanView(Plan, frozen=True, kw_only=True):
    """A plan whose lines carry their finding statements."""

    lines: tuple[LineView, ...]


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


async def with_texts(plan: Plan, findings: Findings, scope: Scope) -> PlanView:
    """Put the finding statements beside the lines of a plan."""
    texts = await findings.of(plan.questionnaire_id, scope)
    lines = tuple(
        LineView(**msgspec.structs.asdict(line), finding_texts=texts.get(line.question_id, {})) for line in plan.lines
    )
    return PlanView(**{**msgspec.structs.asdict(plan), "lines": lines})
