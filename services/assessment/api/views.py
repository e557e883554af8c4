"""How a visit is shown: answers with their conflicts, and notes only to those who carry the visit."""

from datetime import date, datetime

import msgspec

from contracts.assessment import FactValue, VisitScope
from contracts.identity import Principal, Role
from services.assessment.domain.evidence import Evidence
from services.assessment.domain.given import Given, is_conflict, standing
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import Advisor, Signature, Visit


class VisitSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A visit without its answers; ``conflicts`` counts the questions on which the advisors differ."""

    id: str
    factory_id: str
    cycle: int
    questionnaire_id: str
    starts_on: date
    days: int
    scope: VisitScope
    stage: VisitStage
    advisors: tuple[Advisor, ...]
    pair_reason: str
    answered: int
    open_conflicts: int
    is_imported: bool
    finalised_at: datetime | None


class AnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """One advisor's latest answer; ``original`` is the text as typed where normalising changed it."""

    by: str
    answered_at: datetime
    value: FactValue | None
    original: str | None
    is_not_applicable: bool
    note: str
    evidence: tuple[str, ...]


class QuestionAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What stands for a question (the newest answer) and what each advisor said."""

    question_id: str
    value: FactValue | None
    is_not_applicable: bool
    is_conflict: bool
    given: list[AnswerView]


class VisitView(VisitSummary, frozen=True, kw_only=True):
    """A visit as its team works on it."""

    answers: list[QuestionAnswers]
    conflicts: list[str]
    evidence: tuple[Evidence, ...]
    signatures: tuple[Signature, ...]
    returned_reason: str
    cancelled_reason: str
    import_reason: str


def summary_of(visit: Visit) -> VisitSummary:
    """The visit for a list."""
    return VisitSummary(
        id=visit.id,
        factory_id=visit.factory_id,
        cycle=visit.cycle,
        questionnaire_id=visit.questionnaire_id,
        starts_on=visit.starts_on,
        days=visit.days,
        scope=visit.scope,
        stage=visit.stage,
        advisors=visit.advisors,
        pair_reason=visit.pair_reason,
        answered=len(visit.answers),
        open_conflicts=len(visit.conflicts()),
        is_imported=visit.origin is not None,
        finalised_at=visit.finalised_at,
    )


def view_of(visit: Visit, principal: Principal) -> VisitView:
    """The visit for one reader; interview notes are for its two advisors and the team leaders."""
    is_team = Role.TEAM_LEADER in principal.roles or any(each.id == principal.subject for each in visit.advisors)
    return VisitView(
        **msgspec.structs.asdict(summary_of(visit)),
        answers=[_answers(question_id, given, with_notes=is_team) for question_id, given in visit.answers.items()],
        conflicts=visit.conflicts(),
        evidence=visit.evidence,
        signatures=visit.signatures,
        returned_reason=visit.returned_reason,
        cancelled_reason=visit.cancelled_reason,
        import_reason=visit.origin.reason if visit.origin else "",
    )


def _answers(question_id: str, given: tuple[Given, ...], *, with_notes: bool) -> QuestionAnswers:
    stands = standing(given)
    return QuestionAnswers(
        question_id=question_id,
        value=stands.value,
        is_not_applicable=stands.is_not_applicable,
        is_conflict=is_conflict(given),
        given=[
            AnswerView(
                by=each.by,
                answered_at=each.answered_at,
                value=each.value,
                original=each.original,
                is_not_applicable=each.is_not_applicable,
                note=each.note if with_notes else "",
                evidence=each.evidence,
            )
            for each in given
        ],
    )
