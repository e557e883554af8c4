"""What a visit found: outcomes by polarity, the findings of a report, and the facts that may leave the service."""

from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from contracts.assessment import FactV1, OutcomeV1, Texts, VisitFinalisedV1
from contracts.vocabulary import AnswerType, Outcome
from services.assessment.domain.given import Given, outcome_of, standing
from services.assessment.domain.questionnaire import Question, Questionnaire
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import NothingAssessed, Visit


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One non-compliance with the statement that a report prints, by language."""

    question_id: str
    global_id: str
    cluster: str
    compliance_point: str | None
    texts: Texts
    finding_texts: Texts
    legal_references: Texts
    tags: tuple[str, ...]
    is_zero_tolerance: bool


def is_asked(question: Question, visit: Visit) -> bool:
    """Whether the factory's profile asks the question; a profile fact that is still open asks it."""
    condition = question.asked_when
    given = visit.answers.get(condition.question_id) if condition else None
    if condition is None or not given:
        return True
    profile = standing(given)
    if profile.is_not_applicable:
        return False
    if condition.needs == "yes":
        return profile.value == "yes"
    return isinstance(profile.value, int) and profile.value > 0


def outcome(question: Question, visit: Visit) -> Outcome:
    """The outcome of a rated question: an answer stands, and what is not asked is not applicable."""
    if given := visit.answers.get(question.id):
        return outcome_of(question, standing(given))
    return Outcome.NOT_ASSESSED if is_asked(question, visit) else Outcome.NOT_APPLICABLE


def required_and_open(questionnaire: Questionnaire, visit: Visit) -> list[str]:
    """The required questions that are asked and have no answer."""
    return [
        question.id
        for question in questionnaire.form.questions
        if question.is_required and question.id not in visit.answers and is_asked(question, visit)
    ]


def findings(questionnaire: Questionnaire, visit: Visit) -> list[Finding]:
    """The non-compliances in the order of the questionnaire."""
    return [
        Finding(
            question_id=question.id,
            global_id=question.global_id,
            cluster=question.cluster,
            compliance_point=question.compliance_point,
            texts=question.texts,
            finding_texts=question.finding_texts,
            legal_references=question.legal_references,
            tags=question.tags,
            is_zero_tolerance=question.is_zero_tolerance,
        )
        for question in questionnaire.form.questions
        if question.is_rated and outcome(question, visit) is Outcome.NON_COMPLIANT
    ]


def finalised(visit: Visit, questionnaire: Questionnaire, *, by: str, now: datetime) -> tuple[Visit, VisitFinalisedV1]:
    """Close the visit for good: its outcomes stand, and what two advisors said differently is settled by the newest."""
    visit.refuse_unless_leads_to(VisitStage.FINALISED)
    outcomes = tuple(
        OutcomeV1(
            question_id=question.id,
            global_id=question.global_id,
            cluster=question.cluster,
            compliance_point=question.compliance_point or "",
            outcome=outcome(question, visit),
            tags=question.tags,
        )
        for question in questionnaire.form.questions
        if question.is_rated
    )
    if not any(each.outcome.counts for each in outcomes):
        raise NothingAssessed("The visit judged no question, so there is nothing to finalise.")
    closed = replace(visit, stage=VisitStage.FINALISED, finalised_by=by, finalised_at=now)
    return closed, VisitFinalisedV1(
        visit_id=visit.id,
        factory_id=visit.factory_id,
        cycle=visit.cycle,
        questionnaire_id=visit.questionnaire_id,
        scope=visit.scope,
        visited_on=visit.starts_on.isoformat(),
        finalised_at=now.astimezone(UTC).isoformat(),
        outcomes=outcomes,
        facts=_facts(visit, questionnaire),
    )


def _facts(visit: Visit, questionnaire: Questionnaire) -> tuple[FactV1, ...]:
    """The typed facts; free text never leaves."""
    found: list[FactV1] = []
    for question in questionnaire.form.questions:
        given: tuple[Given, ...] = visit.answers.get(question.id, ())
        if question.is_rated or question.answer_type is AnswerType.TEXT or not given:
            continue
        value = standing(given).value
        if value is not None:
            found.append(
                FactV1(question_id=question.id, section=question.cluster, answer_type=question.answer_type, value=value)
            )
    return tuple(found)
