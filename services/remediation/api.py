"""The HTTP routes of improvement plans: parse, authorise, call, answer."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Response, Router, get, patch, post

from contracts.answers import about
from contracts.identity import Principal
from contracts.permissions import Permission
from contracts.remediation import LineStatus
from contracts.vocabulary import ReportKind
from services.remediation import queries, usecases
from services.remediation.domain import Progress
from services.remediation.queries import PlanPage, PlanView, ProgressReport
from services.remediation.store import Findings, Plans
from services.runtime.http import Injected, PageSize, requires

LongText = Annotated[str, msgspec.Meta(max_length=2000)]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What an advisor verified on site."""

    status: LineStatus
    note: LongText = ""


@get("/plans", guards=[requires(Permission.PLAN_READ)])
async def list_plans(
    principal: Injected[Principal],
    plans: Injected[Plans],
    findings: Injected[Findings],
    factory_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> PlanPage:
    """List the improvement plans that the caller may see, newest first."""
    scope = principal.scope()
    return await queries.list_plans(plans, findings, scope, factory_id=factory_id, limit=limit, after=cursor)


@get("/plans/{plan_id:str}", guards=[requires(Permission.PLAN_READ)])
async def read_plan(
    principal: Injected[Principal], plans: Injected[Plans], findings: Injected[Findings], plan_id: str
) -> Response[PlanView]:
    """Read one improvement plan with the finding statement of each line."""
    plan = await queries.read_plan(plans, findings, plan_id, principal.scope())
    is_with_progress = principal.scope().covers(plan.factory_id, ReportKind.PROGRESS, plan.cycle)
    kinds = (ReportKind.IMPROVEMENT_PLAN, ReportKind.PROGRESS) if is_with_progress else (ReportKind.IMPROVEMENT_PLAN,)
    return Response(plan, headers=about(plan.factory_id, kinds, plan.cycle, plan.id))


@get("/plans/{plan_id:str}/progress", guards=[requires(Permission.PLAN_READ)])
async def read_progress(
    principal: Injected[Principal], plans: Injected[Plans], plan_id: str
) -> Response[ProgressReport]:
    """Read how far an improvement plan is: the progress report, which a factory may share without the plan itself."""
    found = await queries.read_progress(plans, plan_id, principal.scope())
    return Response(found, headers=about(found.factory_id, (ReportKind.PROGRESS,), found.cycle, plan_id))


@patch("/plans/{plan_id:str}/lines/{line_id:str}", guards=[requires(Permission.PLAN_REPORT)])
async def report_line(
    principal: Injected[Principal],
    plans: Injected[Plans],
    findings: Injected[Findings],
    plan_id: str,
    line_id: str,
    data: Progress,
) -> PlanView:
    """Report the factory's progress on one line."""
    now = datetime.now(UTC)
    plan = await usecases.report_progress(plans, principal, plan_id, line_id, data, now=now)
    return await queries.with_texts(plan, findings, principal.scope())


@post(
    "/plans/{plan_id:str}/lines/{line_id:str}/verification",
    guards=[requires(Permission.PLAN_VERIFY)],
    status_code=200,
)
async def verify_line(
    principal: Injected[Principal],
    plans: Injected[Plans],
    findings: Injected[Findings],
    plan_id: str,
    line_id: str,
    data: Verification,
) -> PlanView:
    """Record what an advisor verified on site, beside the factory's word."""
    now = datetime.now(UTC)
    plan = await usecases.verify_line(plans, principal, plan_id, line_id, data.status, note=data.note, now=now)
    return await queries.with_texts(plan, findings, principal.scope())


def routes() -> Router:
    """Every public route of remediation."""
    handlers = [list_plans, read_plan, read_progress, report_line, verify_line]
    return Router("/api/v1", route_handlers=handlers, tags=["remediation"])
