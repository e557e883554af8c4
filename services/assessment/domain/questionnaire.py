"""A questionnaire: typed questions in several languages, frozen once published; a new version is a new document."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Literal

import msgspec
from msgspec.structs import replace

from contracts.assessment import ChoiceV1, QuestionnairePublishedV1, QuestionV1, Texts
from contracts.errors import RuleBroken
from contracts.vocabulary import AnswerType, Basis, Polarity, QuestionKind
from services.assessment.domain.stages import QuestionnaireStage

NEXT: Mapping[QuestionnaireStage, frozenset[QuestionnaireStage]] = {
    QuestionnaireStage.DRAFT: frozenset({QuestionnaireStage.PUBLISHED}),
    QuestionnaireStage.PUBLISHED: frozenset({QuestionnaireStage.RETIRED}),
    QuestionnaireStage.RETIRED: frozenset(),
}
"""The only moves; nothing leads back to draft, so that a published version is never edited."""


class QuestionnaireCannotMove(RuleBroken):
    """The questionnaire's stage does not lead to the one that was asked for."""

    code = "questionnaire_cannot_move"


class QuestionnaireNotPublished(RuleBroken):
    """Visits use published questionnaires only."""

    code = "questionnaire_not_published"


class VersionAlreadyPublished(RuleBroken):
    """A version of a form is published once; a correction is a new version."""

    code = "version_already_published"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of the values that a choice question offers, with its label by language."""

    name: str
    labels: Texts


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A question is asked only when this fact is ``yes`` or above zero."""

    question_id: str
    needs: Literal["yes", "above_zero"]


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a value must keep to; numbers as decimal strings."""

    minimum: str | None = None
    maximum: str | None = None
    not_after_today: bool = False


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question; ``cluster`` is also the section of a fact, ``legal_references`` are by language."""

    id: str
    global_id: str
    original_id: str
    kind: QuestionKind
    cluster: str
    answer_type: AnswerType
    texts: Texts
    compliance_point: str | None = None
    polarity: Polarity | None = None
    basis: Basis | None = None
    guidance: Texts = {}
    finding_texts: Texts = {}
    legal_references: Texts = {}
    evidence_sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    currency: str | None = None
    limits: Limits | None = None
    asked_when: Condition | None = None
    is_required: bool = False
    is_zero_tolerance: bool = False
    may_be_not_applicable: bool = False

    @property
    def is_rated(self) -> bool:
        """Whether the answer is judged and counts in rates."""
        return self.kind is QuestionKind.NON_COMPLIANCE


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cluster, section or compliance point as the form presents it, by language."""

    code: str
    titles: Texts
    guidance: Texts = {}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What a workbook says: the content of a questionnaire before it has a place in the programme."""

    form_id: str
    version: str
    country: str
    industry: str
    default_language: str
    languages: tuple[str, ...]
    titles: Texts
    groups: tuple[Group, ...]
    questions: tuple[Question, ...]


class Workbook(msgspec.Struct, frozen=True, kw_only=True):
    """Where the uploaded file is kept; ``size`` in bytes."""

    key: str
    sha256: str
    size: int


class Questionnaire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A version of a form. ``name`` and ``full_name`` are what results call it (TQ name).

    ``published_as`` is there from publication on and unique: a version is published once.
    """

    id: str
    stage: QuestionnaireStage
    country: str
    name: str
    full_name: str
    form: Form
    workbook: Workbook
    uploaded_by: str
    uploaded_at: datetime
    published_as: str | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    retired_at: datetime | None = None

    @cached_property
    def by_id(self) -> dict[str, Question]:
        """The questions by their id."""
        return {question.id: question for question in self.form.questions}

    @property
    def is_frozen(self) -> bool:
        """Whether the content can never change again."""
        return self.stage is not QuestionnaireStage.DRAFT

    def publish(self, *, by: str, now: datetime) -> tuple["Questionnaire", QuestionnairePublishedV1]:
        """Freeze the version for good and announce it."""
        self._refuse_unless_leads_to(QuestionnaireStage.PUBLISHED)
        form = self.form
        published = replace(
            self,
            stage=QuestionnaireStage.PUBLISHED,
            published_as=f"{form.country} {form.form_id} {form.version}",
            published_by=by,
            published_at=now,
        )
        return published, QuestionnairePublishedV1(
            questionnaire_id=self.id,
            country=form.country,
            industry=form.industry,
            version=form.version,
            titles=form.titles,
            languages=form.languages,
            questions=tuple(_announced(question) for question in form.questions),
        )

    def retire(self, *, now: datetime) -> "Questionnaire":
        """Take the version out of use for new visits; visits that use it go on."""
        self._refuse_unless_leads_to(QuestionnaireStage.RETIRED)
        return replace(self, stage=QuestionnaireStage.RETIRED, retired_at=now)

    def refuse_for_visits(self) -> None:
        """Refuse what a new visit may not use."""
        if self.stage is not QuestionnaireStage.PUBLISHED:
            raise QuestionnaireNotPublished(f"The questionnaire is {self.stage}; a visit needs a published one.")

    def _refuse_unless_leads_to(self, stage: QuestionnaireStage) -> None:
        if stage not in NEXT[self.stage]:
            raise QuestionnaireCannotMove(f"The questionnaire is {self.stage} and cannot become {stage}.")


def draft(questionnaire_id: str, form: Form, workbook: Workbook, *, by: str, now: datetime) -> Questionnaire:
    """A new draft with the content of a workbook."""
    name = form.titles.get("en") or form.titles[form.default_language]
    return Questionnaire(
        id=questionnaire_id,
        stage=QuestionnaireStage.DRAFT,
        country=form.country,
        name=name,
        full_name=f"{name} ({form.version})",
        form=form,
        workbook=workbook,
        uploaded_by=by,
        uploaded_at=now,
    )


def _announced(question: Question) -> QuestionV1:
    return QuestionV1(
        id=question.id,
        global_id=question.global_id,
        kind=question.kind,
        cluster=question.cluster,
        compliance_point=question.compliance_point,
        answer_type=question.answer_type,
        texts=question.texts,
        finding_texts=question.finding_texts,
        basis=question.basis,
        legal_references=question.legal_references,
        choices=tuple(ChoiceV1(name=choice.name, labels=choice.labels) for choice in question.choices),
        tags=question.tags,
    )
