"""Taking a report's snapshot: the outcomes of a visit joined with the words of its questionnaire."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from contracts.assessment import FactValue, QuestionnairePublishedV1, QuestionV1, Texts, VisitFinalisedV1
from contracts.vocabulary import CLUSTERS, COMPLIANCE_POINTS, Outcome, ReportKind
from services.reporting.domain.rates import PointCount, cluster_rates, factory_rate, point_counts
from services.reporting.domain.snapshot import (
    ClusterPart,
    Fact,
    Factory,
    FactoryCard,
    Item,
    Point,
    Questionnaire,
    Reference,
    Snapshot,
    rate_text,
)

PUBLIC: Final = "public_disclosure"
"""The tag of a question whose findings are published by name of factory."""

EXACT_INTEGERS: Final = 2**53 - 1
"""RFC 8785 writes numbers as IEEE doubles: a larger integer is kept as text."""

_SEPARATORS: Final = re.compile(r"\s*[;؛]\s*")


def take(
    report_id: str, visit: VisitFinalisedV1, questionnaire: QuestionnairePublishedV1, card: FactoryCard
) -> Snapshot:
    """Freeze what a visit found, with the words of its questionnaire; the same input gives the same snapshot."""
    questions = {question.id: question for question in questionnaire.questions}
    numbers = _Numbers(_own_language(questionnaire))
    counts = point_counts(visit.outcomes)
    clusters = _clusters(visit, questions, counts, numbers)
    return Snapshot(
        report_id=report_id,
        kind=ReportKind.ASSESSMENT,
        visit_id=visit.visit_id,
        factory=Factory(
            id=card.factory_id,
            original_id=card.original_id,
            name=card.name,
            country=card.country,
            industry=card.industry,
        ),
        cycle=visit.cycle,
        scope=visit.scope,
        visited_on=visit.visited_on,
        finalised_at=visit.finalised_at,
        questionnaire=Questionnaire(
            id=questionnaire.questionnaire_id,
            version=questionnaire.version,
            titles=questionnaire.titles,
            languages=questionnaire.languages,
        ),
        rate=rate_text(factory_rate(counts)),
        clusters=clusters,
        facts=_facts(visit, questions),
        references=numbers.listed(),
    )


class _Numbers:
    """Numbers legal references in the order in which the report first cites them."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._numbers: dict[str, int] = {}
        self._texts: dict[str, Texts] = {}

    def of(self, question: QuestionV1) -> tuple[int, ...]:
        """The numbers of the references of a question."""
        named = {language: _named(text) for language, text in question.legal_references.items()}
        names = named.get(self._language) or next(iter(named.values()), [])
        for position, name in enumerate(names):
            # Lists of one length name the same references in the same order.
            others = {tag: each[position] for tag, each in named.items() if len(each) == len(names)}
            self._texts.setdefault(name, {self._language: name, **others})
        return tuple(dict.fromkeys(self._numbers.setdefault(name, len(self._numbers) + 1) for name in names))

    def listed(self) -> tuple[Reference, ...]:
        """The list of references, by number."""
        return tuple(Reference(number=n, texts=self._texts[name]) for name, n in self._numbers.items())


def _named(text: str) -> list[str]:
    """The references that a text names."""
    return [name for name in _SEPARATORS.split(text.strip()) if name]


def _own_language(questionnaire: QuestionnairePublishedV1) -> str:
    return questionnaire.languages[0] if questionnaire.languages else "en"


def _clusters(
    visit: VisitFinalisedV1, questions: Mapping[str, QuestionV1], counts: Sequence[PointCount], numbers: _Numbers
) -> tuple[ClusterPart, ...]:
    """The rated clusters of a visit in the order of the vocabulary, questions in the order of the questionnaire."""
    outcomes = {row.question_id: row for row in visit.outcomes}
    ordered = [outcomes[question_id] for question_id in questions if question_id in outcomes]
    # An outcome whose question is missing is kept: its code is better than silence about a finding.
    ordered += [row for row in visit.outcomes if row.question_id not in questions]
    rates = cluster_rates(counts)
    by_point = {count.point: count for count in counts}
    parts: list[ClusterPart] = []
    for cluster in (cluster for cluster in CLUSTERS if cluster.code in rates):
        points = tuple(
            Point(
                code=point.code,
                is_non_compliant=by_point[point.code].is_non_compliant,
                counts=by_point[point.code],
                items=tuple(
                    _item(
                        questions.get(row.question_id), row.question_id, row.global_id, row.outcome, row.tags, numbers
                    )
                    for row in ordered
                    if row.compliance_point == point.code
                ),
            )
            for point in COMPLIANCE_POINTS
            if point.cluster == cluster.code and point.code in by_point
        )
        parts.append(ClusterPart(code=cluster.code, rate=rate_text(rates[cluster.code]), points=points))
    return tuple(parts)


def _item(
    question: QuestionV1 | None,
    question_id: str,
    global_id: str,
    outcome: Outcome,
    tags: Iterable[str],
    numbers: _Numbers,
) -> Item:
    return Item(
        question_id=question_id,
        global_id=global_id,
        outcome=outcome,
        texts=question.texts if question else {},
        finding_texts=question.finding_texts if question else {},
        basis=question.basis if question else None,
        references=numbers.of(question) if question else (),
        is_public=PUBLIC in tags or bool(question and PUBLIC in question.tags),
    )


def _facts(visit: VisitFinalisedV1, questions: Mapping[str, QuestionV1]) -> tuple[Fact, ...]:
    """The facts in the order of the questionnaire."""
    places = {question_id: place for place, question_id in enumerate(questions)}
    ordered = sorted(visit.facts, key=lambda fact: places.get(fact.question_id, len(places)))
    return tuple(
        Fact(
            question_id=fact.question_id,
            section=fact.section,
            answer_type=fact.answer_type,
            texts=questions[fact.question_id].texts if fact.question_id in questions else {},
            value=_exact(fact.value),
            labels=_labels(questions.get(fact.question_id), fact.value),
        )
        for fact in ordered
    )


def _labels(question: QuestionV1 | None, value: FactValue) -> tuple[Texts, ...]:
    """The labels of the chosen values, in the order of the value; empty for what is no choice."""
    offered = {choice.name: choice.labels for choice in question.choices} if question else {}
    chosen = value if isinstance(value, tuple) else (value,)
    return tuple(offered[name] for name in chosen if isinstance(name, str) and name in offered)


def _exact(value: FactValue) -> FactValue:
    """The value without integers that JSON readers may round."""
    match value:
        case int() if abs(value) > EXACT_INTEGERS:
            return str(value)
        case dict():
            return {key: max(-EXACT_INTEGERS, min(EXACT_INTEGERS, n)) for key, n in value.items()}
        case _:
            return value
