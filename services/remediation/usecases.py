"""What people and events do to improvement plans: load, decide, save with events."""

from datetime import date, datetime

from contracts.assessment import QuestionnairePublishedV1, VisitFinalisedV1
from contracts.identifiers import derived_id
from contracts.identity import Principal, Scope
from contracts.permissions import Permission, scope_for
from contracts.remediation import LineStatus
from contracts.reporting import ReportReleasedV1
from contracts.training import CoursesRecommendedV1
from contracts.vocabulary import QuestionKind
from services.remediation import domain
from services.remediation.domain import Plan, Progress
from services.remediation.store import Findings, FindingTexts, Plans
from services.runtime.bus import Delivery


def plan_id_of(visit_id: str) -> str:
    """The id of the one plan that a visit opens."""
    return derived_id("plan", visit_id)


async def open_plan(plans: Plans, visit: VisitFinalisedV1, *, cause: Delivery, now: datetime) -> None:
    """Open the improvement plan of a finalised visit."""
    plan, opened = domain.open_plan(plan_id_of(visit.visit_id), visit, now=now)
    await plans.open(plan, (opened,), cause)


async def keep_finding_texts(findings: Findings, published: QuestionnairePublishedV1, *, cause: Delivery) -> None:
    """Keep the finding statements of a published questionnaire for printing plans."""
    judged = (q for q in published.questions if q.kind is QuestionKind.NON_COMPLIANCE)
    texts = FindingTexts({question.id: question.finding_texts for question in judged})
    await findings.keep(published.questionnaire_id, texts, cause)


async def recommend_courses(plans: Plans, event: CoursesRecommendedV1, *, cause: Delivery, country: str) -> None:
    """Show recommended courses beside the plan of the same visit."""
    await plans.change(
        plan_id_of(event.visit_id),
        Scope.whole(country),
        lambda plan: (domain.recommend_courses(plan, event.course_ids), ()),
        cause=cause,
    )


async def note_release(plans: Plans, event: ReportReleasedV1, *, cause: Delivery, country: str) -> None:
    """Start the clock of the first progress report."""
    released_on = date.fromisoformat(event.released_on)
    await plans.change(
        plan_id_of(event.visit_id),
        Scope.whole(country),
        lambda plan: (domain.note_release(plan, released_on), ()),
        cause=cause,
    )


async def report_progress(
    plans: Plans, principal: Principal, plan_id: str, line_id: str, progress: Progress, *, now: datetime
) -> Plan:
    """Record what the factory says of a line."""
    return await plans.change(
        plan_id,
        scope_for(principal, Permission.PLAN_REPORT),
        lambda plan: domain.report_progress(plan, line_id, progress, now=now),
    )


async def verify_line(
    plans: Plans,
    principal: Principal,
    plan_id: str,
    line_id: str,
    status: LineStatus,
    *,
    note: str,
    now: datetime,
) -> Plan:
    """Record what an advisor verified on site."""
    return await plans.change(
        plan_id,
        principal.scope(),
        lambda plan: domain.verify_line(plan, line_id, status, note=note, by=principal.subject, now=now),
    )
