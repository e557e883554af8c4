"""Recording answers in a visit: each checked against its question, the newest of each advisor kept."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from contracts.assessment import FactValue
from contracts.errors import Malformed
from services.assessment.domain.answers import AnswerRefused, Checked, checked, checked_text
from services.assessment.domain.evidence import UnknownEvidence
from services.assessment.domain.given import Given, merged
from services.assessment.domain.questionnaire import Question, Questionnaire
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import Visit


class AnswersRefused(Malformed):
    """Some answers cannot be kept: all of them are named, each with its reason, and none was recorded."""

    code = "answers_refused"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as an advisor sends it; without ``answered_at`` it counts as given on arrival."""

    question_id: str
    value: object = None
    is_not_applicable: bool = False
    note: str = ""
    answered_at: datetime | None = None
    evidence: tuple[str, ...] = ()


def with_answers(
    visit: Visit, questionnaire: Questionnaire, answers: Sequence[Answer], *, by: str, now: datetime
) -> Visit:
    """The visit with an advisor's answers; a scheduled visit is under way from its first answer on.

    A change withdraws the signature of the advisor who made it. Raises ``AnswersRefused`` naming every fault.
    """
    visit.refuse_unless_assigned(by)
    visit.refuse_unless_open()
    today = visit.today(now)
    evidence_ids = {evidence.id for evidence in visit.evidence}
    arrived: list[tuple[str, Given]] = []
    faults: list[str] = []
    for answer in answers:
        try:
            _refuse_strange_evidence(answer, evidence_ids)
            arrived.append((answer.question_id, _given(questionnaire, answer, by=by, now=now, today=today)))
        except Malformed as refusal:
            faults.append(f"{answer.question_id}: {refusal}")
    if faults:
        raise AnswersRefused("\n".join(faults))
    return recorded(visit, arrived, by=by)


def recorded(visit: Visit, arrived: Sequence[tuple[str, Given]], *, by: str) -> Visit:
    """The visit with answers that were checked already."""
    answers = dict(visit.answers)
    for question_id, given in arrived:
        answers[question_id] = merged(answers.get(question_id, ()), given)
    if answers == visit.answers:
        return visit
    stage = VisitStage.UNDER_WAY if visit.stage is VisitStage.SCHEDULED else visit.stage
    signatures = tuple(signature for signature in visit.signatures if signature.by != by)
    return replace(visit, answers=answers, stage=stage, signatures=signatures)


def question_of(questionnaire: Questionnaire, question_id: str) -> Question:
    """The question; raises ``AnswerRefused`` when the questionnaire has none such."""
    question = questionnaire.by_id.get(question_id)
    if question is None:
        raise AnswerRefused("The questionnaire has no such question.")
    return question


def refuse_not_applicable(question: Question) -> None:
    """Refuse "not applicable" where the question does not permit it."""
    if not question.may_be_not_applicable:
        raise AnswerRefused('The question does not permit "not applicable".')


def _given(questionnaire: Questionnaire, answer: Answer, *, by: str, now: datetime, today: date) -> Given:
    content = _content(question_of(questionnaire, answer.question_id), answer, today)
    value: FactValue | None = None if content is None else content.value
    answered_at = now
    if answer.answered_at is not None:
        if answer.answered_at.tzinfo is None:
            raise AnswerRefused("answered_at needs its offset from UTC.")
        # A device whose clock runs ahead must not win over every later answer.
        answered_at = min(answer.answered_at, now)
    return Given(
        by=by,
        answered_at=answered_at,
        value=value,
        original=None if content is None else content.original,
        is_not_applicable=answer.is_not_applicable,
        note=str(checked_text(answer.note, "A note").value) if answer.note.strip() else "",
        evidence=answer.evidence,
    )


def _content(question: Question, answer: Answer, today: date) -> Checked | None:
    if not answer.is_not_applicable:
        if answer.value is None:
            raise AnswerRefused("An answer has a value or is not applicable.")
        return checked(question, answer.value, today)
    if answer.value is not None:
        raise AnswerRefused("An answer has a value or is not applicable, not both.")
    refuse_not_applicable(question)
    return None


def _refuse_strange_evidence(answer: Answer, evidence_ids: set[str]) -> None:
    for evidence_id in answer.evidence:
        if evidence_id not in evidence_ids:
            raise UnknownEvidence(f"The visit has no evidence {evidence_id[:64]}.")
