"""Scheduling a visit, answering its questions, adding evidence, signing, returning and finalising it."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from contracts.assessment import VisitScope
from contracts.errors import Conflict, Refusal, RuleBroken
from contracts.events import Event
from contracts.identity import Principal
from services.assessment.domain.answers import AnswerRefused
from services.assessment.domain.evidence import Evidence
from services.assessment.domain.findings import finalised, required_and_open
from services.assessment.domain.recording import Answer, with_answers
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import Advisor, Plan, Visit, scheduled
from services.assessment.evidence import Evidences
from services.assessment.store import Factories, Questionnaires, Visits

PATIENCE_S: Final = 2.0
"""How long scheduling waits for a factory that has just been registered."""


class VisitAlreadyScheduled(RuleBroken):
    """A factory has one visit per cycle and questionnaire, unless it was cancelled."""

    code = "visit_already_scheduled"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The visit that somebody wants to schedule."""

    factory_id: str
    cycle: int
    questionnaire_id: str
    starts_on: date
    days: int
    scope: VisitScope
    advisors: tuple[Advisor, ...]
    pair_reason: str


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file that arrives belongs."""

    visit_id: str
    evidence_id: str
    question_id: str | None


async def schedule_visit(
    visits: Visits,
    questionnaires: Questionnaires,
    factories: Factories,
    wish: Wish,
    *,
    visit_id: str,
    principal: Principal,
    now: datetime,
) -> Visit:
    """Schedule a visit to a known factory with a published questionnaire; the same wish with the same id is one visit.

    Raises ``NotFound``, ``QuestionnaireNotPublished``, ``PairNotComplete`` and ``VisitAlreadyScheduled``.
    """
    scope = principal.scope()
    questionnaire = await questionnaires.get(wish.questionnaire_id, scope)
    factory = await factories.expect(wish.factory_id, scope, within_s=PATIENCE_S)
    questionnaire.refuse_for_visits()
    plan = Plan(time_zone=factory.time_zone, **msgspec.structs.asdict(wish))
    visit = scheduled(visit_id, plan, by=principal.subject, now=now)
    try:
        is_new = await visits.create(visit, request=wish)
    except Conflict:
        other = await visits.at_place(visit.place or "", scope)
        if other is not None and other.id != visit_id:
            raise VisitAlreadyScheduled(f"Visit {other.id} has this factory, cycle and questionnaire.") from None
        raise
    return visit if is_new else await visits.get(visit_id, scope)


async def record_answers(
    visits: Visits,
    questionnaires: Questionnaires,
    visit_id: str,
    answers: Sequence[Answer],
    *,
    principal: Principal,
    now: datetime,
) -> Visit:
    """Record an advisor's answers, all or, when some are refused, none."""
    scope = principal.scope()
    visit = await visits.get(visit_id, scope)
    questionnaire = await questionnaires.frozen(visit.questionnaire_id, scope)

    def record(present: Visit) -> tuple[Visit, Sequence[Event]]:
        return with_answers(present, questionnaire, answers, by=principal.subject, now=now), ()

    return await visits.change(visit_id, scope, record)


async def add_evidence(
    visits: Visits,
    questionnaires: Questionnaires,
    evidences: Evidences,
    upload: Upload,
    body: AsyncIterator[bytes],
    *,
    principal: Principal,
    now: datetime,
) -> Evidence:
    """Store a photo or document of a visit; bytes that the visit has already are its earlier evidence."""
    scope = principal.scope()
    visit_id, evidence_id, question_id = upload.visit_id, upload.evidence_id, upload.question_id
    visit = await visits.get(visit_id, scope)
    visit.refuse_unless_assigned(principal.subject)
    visit.refuse_unless_open()
    questionnaire = await questionnaires.frozen(visit.questionnaire_id, scope)
    if question_id is not None and question_id not in questionnaire.by_id:
        raise AnswerRefused("The questionnaire has no such question.")
    stored = await evidences.keep(visit_id, evidence_id, body)
    evidence = Evidence(
        id=evidence_id,
        sha256=stored.sha256,
        size=stored.size,
        content_type=stored.content_type,
        added_by=principal.subject,
        added_at=now,
        question_id=question_id,
    )
    try:
        changed = await visits.change(visit_id, scope, lambda present: (present.with_evidence(evidence), ()))
    except Refusal:
        await evidences.discard(visit_id, evidence_id)
        raise
    listed = next(each for each in changed.evidence if each.sha256 == evidence.sha256)
    if listed.id != evidence_id:
        await evidences.discard(visit_id, evidence_id)
    return listed


async def sign_visit(
    visits: Visits, questionnaires: Questionnaires, visit_id: str, *, principal: Principal, now: datetime
) -> Visit:
    """Sign as one of the two advisors; the second signature submits the visit."""
    scope = principal.scope()
    visit = await visits.get(visit_id, scope)
    questionnaire = await questionnaires.frozen(visit.questionnaire_id, scope)

    def sign(present: Visit) -> tuple[Visit, Sequence[Event]]:
        missing = required_and_open(questionnaire, present)
        return present.signed(by=principal.subject, missing=missing, now=now), ()

    return await visits.change(visit_id, scope, sign)


async def return_visit(visits: Visits, visit_id: str, reason: str, *, principal: Principal) -> Visit:
    """Give a submitted visit back to its advisors with a reason."""
    return await visits.change(visit_id, principal.scope(), lambda present: (present.returned(reason), ()))


async def cancel_visit(visits: Visits, visit_id: str, reason: str, *, principal: Principal) -> Visit:
    """Call a visit off; again changes nothing."""
    return await visits.change(visit_id, principal.scope(), lambda present: (present.cancelled(reason), ()))


async def finalise_visit(
    visits: Visits, questionnaires: Questionnaires, visit_id: str, *, principal: Principal, now: datetime
) -> Visit:
    """Close a submitted visit for good and announce its outcomes; again changes nothing."""
    scope = principal.scope()
    visit = await visits.get(visit_id, scope)
    questionnaire = await questionnaires.frozen(visit.questionnaire_id, scope)

    def finalise(present: Visit) -> tuple[Visit, Sequence[Event]]:
        if present.stage is VisitStage.FINALISED:
            return present, ()
        closed, event = finalised(present, questionnaire, by=principal.subject, now=now)
        return closed, (event,)

    return await visits.change(visit_id, scope, finalise)
