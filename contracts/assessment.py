"""The events of services/assessment: published questionnaires and finalised visits."""

from enum import StrEnum
from typing import ClassVar

import msgspec

from contracts.events import Event
from contracts.vocabulary import AnswerType, Basis, Outcome, QuestionKind

Texts = dict[str, str]
"""The same text by language tag (BCP 47)."""

FactValue = int | str | tuple[str, ...] | dict[str, int]
"""A typed fact: integers as such, decimals, percentages, money and dates as strings, choices, and counts by sex."""


class VisitScope(StrEnum):
    """How much of the questionnaire a visit covered; only full visits count in rates."""

    FULL = "full"
    SHORT = "short"


class ChoiceV1(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a choice question offers, with its label by language."""

    name: str
    labels: Texts


class QuestionV1(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a published questionnaire, as other services need it to print or compare."""

    id: str
    global_id: str
    kind: QuestionKind
    cluster: str
    compliance_point: str | None
    answer_type: AnswerType
    texts: Texts
    finding_texts: Texts = {}
    basis: Basis | None = None
    legal_references: Texts = {}
    choices: tuple[ChoiceV1, ...] = ()
    tags: tuple[str, ...] = ()


class QuestionnairePublishedV1(Event, frozen=True, kw_only=True):
    """A questionnaire version was frozen; reporting keeps it to print reports in its languages."""

    type: ClassVar[str] = "assessment.questionnaire.published.v1"
    questionnaire_id: str
    country: str
    industry: str
    version: str
    titles: Texts
    languages: tuple[str, ...]
    questions: tuple[QuestionV1, ...]


class OutcomeV1(msgspec.Struct, frozen=True, kw_only=True):
    """What a visit found on one non-compliance question."""

    question_id: str
    global_id: str
    cluster: str
    compliance_point: str
    outcome: Outcome
    tags: tuple[str, ...] = ()


class FactV1(msgspec.Struct, frozen=True, kw_only=True):
    """A typed fact of the factory; free text never leaves the assessment service."""

    question_id: str
    section: str
    answer_type: AnswerType
    value: FactValue


class VisitFinalisedV1(Event, frozen=True, kw_only=True):
    """The team leader closed a visit: its outcomes stand.

    Remediation opens the improvement plan, training recommends courses, reporting freezes the report.
    ``visited_on`` is the first day of the visit in the factory's time zone (ISO 8601).
    """

    type: ClassVar[str] = "assessment.visit.finalised.v1"
    visit_id: str
    factory_id: str
    cycle: int
    questionnaire_id: str
    scope: VisitScope
    visited_on: str
    finalised_at: str
    outcomes: tuple[OutcomeV1, ...]
    facts: tuple[FactV1, ...] = ()
