"""The routes of visits: schedule, answer, sign, return, finalise, read."""

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
from litestar import get, post, put
from uuid_utils.compat import uuid7

from contracts.assessment import VisitScope
from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission
from services.assessment.api.lists import Cursor, Listing
from services.assessment.api.views import VisitSummary, VisitView, summary_of, view_of
from services.assessment.domain.findings import Finding, findings
from services.assessment.domain.recording import Answer
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import Advisor
from services.assessment.store import Factories, Questionnaires, Visits
from services.assessment.usecases.visits import (
    Wish,
    cancel_visit,
    finalise_visit,
    record_answers,
    return_visit,
    schedule_visit,
    sign_visit,
)
from services.runtime.http import Injected, PageSize, requires

Text = Annotated[str, msgspec.Meta(max_length=2_000)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000, pattern=r"\S")]


class ScheduleVisit(msgspec.Struct, frozen=True, kw_only=True):
    """The visit to schedule; ``pair_reason`` is needed unless a woman and a man visit."""

    factory_id: Id
    cycle: Annotated[int, msgspec.Meta(ge=1, le=999)]
    questionnaire_id: Id
    starts_on: date
    advisors: Annotated[list[Advisor], msgspec.Meta(max_length=10)]
    id: Id | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=30)] = 2
    pair_reason: Text = ""
    scope: VisitScope = VisitScope.FULL


class RecordAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of the calling advisor, any number of questions at a time."""

    answers: Annotated[list[Answer], msgspec.Meta(max_length=2_000)]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """How the visit stands after the answers; ``superseded`` are questions whose newer answer was kept."""

    stage: VisitStage
    answered: int
    superseded: list[str]
    conflicts: list[str]


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """Why a visit is returned or cancelled."""

    reason: Reason


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The non-compliances of a visit, in the order of the questionnaire."""

    visit_id: str
    stage: VisitStage
    items: list[Finding]


@post("/visits", guards=[requires(Permission.VISIT_SCHEDULE)])
async def schedule(
    data: ScheduleVisit,
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
    factories: Injected[Factories],
) -> VisitSummary:
    """Schedule a visit by two advisors."""
    wish = Wish(
        factory_id=data.factory_id,
        cycle=data.cycle,
        questionnaire_id=data.questionnaire_id,
        starts_on=data.starts_on,
        days=data.days,
        scope=data.scope,
        advisors=tuple(data.advisors),
        pair_reason=data.pair_reason,
    )
    visit = await schedule_visit(
        visits,
        questionnaires,
        factories,
        wish,
        visit_id=data.id or str(uuid7()),
        principal=principal,
        now=datetime.now(UTC),
    )
    return summary_of(visit)


@get("/visits", guards=[requires(Permission.VISIT_READ)])
async def list_visits(
    principal: Injected[Principal],
    visits: Injected[Visits],
    factory_id: str | None = None,
    stage: VisitStage | None = None,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Listing[VisitSummary]:
    """The visits that the caller may see."""
    found = await visits.find(principal.scope(), factory_id=factory_id, stage=stage, limit=limit, after=cursor)
    return Listing([summary_of(each) for each in found.items], found.next_cursor)


@get("/visits/{visit_id:str}", guards=[requires(Permission.VISIT_READ)])
async def read(visit_id: str, principal: Injected[Principal], visits: Injected[Visits]) -> VisitView:
    """One visit with its answers, conflicts and evidence."""
    return view_of(await visits.get(visit_id, principal.scope()), principal)


@put("/visits/{visit_id:str}/answers", guards=[requires(Permission.VISIT_ANSWER)])
async def record(
    visit_id: str,
    data: RecordAnswers,
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
) -> Recorded:
    """Record answers; an older answer than the caller's present one changes nothing."""
    now = datetime.now(UTC)
    visit = await record_answers(visits, questionnaires, visit_id, data.answers, principal=principal, now=now)
    kept = {key: each for key, given in visit.answers.items() for each in given if each.by == principal.subject}
    superseded = {
        answer.question_id
        for answer in data.answers
        if answer.answered_at is not None and kept[answer.question_id].answered_at > min(answer.answered_at, now)
    }
    return Recorded(
        stage=visit.stage,
        answered=len(visit.answers),
        superseded=sorted(superseded),
        conflicts=visit.conflicts(),
    )


@post("/visits/{visit_id:str}/submission", guards=[requires(Permission.VISIT_ANSWER)], status_code=200)
async def sign(
    visit_id: str,
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
) -> VisitSummary:
    """Sign the visit; with both signatures it is submitted."""
    now = datetime.now(UTC)
    return summary_of(await sign_visit(visits, questionnaires, visit_id, principal=principal, now=now))


@post("/visits/{visit_id:str}/return", guards=[requires(Permission.VISIT_FINALISE)], status_code=200)
async def give_back(
    visit_id: str, data: Because, principal: Injected[Principal], visits: Injected[Visits]
) -> VisitSummary:
    """Give a submitted visit back to its advisors."""
    return summary_of(await return_visit(visits, visit_id, data.reason, principal=principal))


@post("/visits/{visit_id:str}/cancellation", guards=[requires(Permission.VISIT_SCHEDULE)], status_code=200)
async def cancel(
    visit_id: str, data: Because, principal: Injected[Principal], visits: Injected[Visits]
) -> VisitSummary:
    """Call a visit off, so that another one can be scheduled."""
    return summary_of(await cancel_visit(visits, visit_id, data.reason, principal=principal))


@post("/visits/{visit_id:str}/finalisation", guards=[requires(Permission.VISIT_FINALISE)], status_code=200)
async def finalise(
    visit_id: str,
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
) -> VisitSummary:
    """Close a submitted visit for good: its outcomes stand and are announced."""
    now = datetime.now(UTC)
    return summary_of(await finalise_visit(visits, questionnaires, visit_id, principal=principal, now=now))


@get("/visits/{visit_id:str}/findings", guards=[requires(Permission.VISIT_READ)])
async def list_findings(
    visit_id: str,
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
) -> Findings:
    """What the visit found so far, or for good once it is finalised."""
    scope = principal.scope()
    visit = await visits.get(visit_id, scope)
    questionnaire = await questionnaires.frozen(visit.questionnaire_id, scope)
    return Findings(visit_id=visit.id, stage=visit.stage, items=findings(questionnaire, visit))


ROUTES = [schedule, list_visits, read, record, sign, give_back, cancel, finalise, list_findings]
