"""A report's snapshot: everything that will ever be printed of a visit, in every language, in canonical JSON.

A snapshot is never edited. Its bytes are those of RFC 8785, so that its SHA-256 is the same wherever it is made.
"""

import hashlib
from typing import Final

import msgspec

from contracts.assessment import FactValue, Texts, VisitScope
from contracts.vocabulary import AnswerType, Basis, Outcome, ReportKind
from services.reporting.domain.rates import FORMULA_VERSION, PointCount, Rate, decimal_text

SCHEMA: Final = "star.reporting.assessment-report.1"


class FactoryCard(msgspec.Struct, frozen=True, kw_only=True):
    """What reporting knows of a factory."""

    factory_id: str
    original_id: str
    name: str
    country: str
    industry: str
    time_zone: str
    owner_group: str = ""


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """The factory as the report names it; its owner group is not for readers."""

    id: str
    original_id: str
    name: str
    country: str
    industry: str


class Questionnaire(msgspec.Struct, frozen=True, kw_only=True):
    """The questionnaire that was used; the first of ``languages`` is its own."""

    id: str
    version: str
    titles: Texts
    languages: tuple[str, ...]


class RateText(msgspec.Struct, frozen=True, kw_only=True):
    """A rate as it is printed: the counts, and the share as a decimal string."""

    numerator: int
    denominator: int
    excluded: int
    rate: str | None
    formula_version: str = FORMULA_VERSION


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One judged question; ``references`` are numbers of the report's reference list."""

    question_id: str
    global_id: str
    outcome: Outcome
    texts: Texts
    finding_texts: Texts
    basis: Basis | None
    references: tuple[int, ...]
    is_public: bool


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A compliance point with the counts of its questions and every question."""

    code: str
    is_non_compliant: bool
    counts: PointCount
    items: tuple[Item, ...]


class ClusterPart(msgspec.Struct, frozen=True, kw_only=True):
    """A rated cluster with the factory's rate in it."""

    code: str
    rate: RateText
    points: tuple[Point, ...]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A typed fact with its question."""

    question_id: str
    section: str
    answer_type: AnswerType
    texts: Texts
    value: FactValue
    labels: tuple[Texts, ...] = ()


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One legal reference of the list at the end of the report."""

    number: int
    texts: Texts


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The frozen content of a factory assessment report."""

    schema: str = SCHEMA
    report_id: str
    kind: ReportKind
    visit_id: str
    factory: Factory
    cycle: int
    scope: VisitScope
    visited_on: str
    finalised_at: str
    questionnaire: Questionnaire
    rate: RateText
    clusters: tuple[ClusterPart, ...]
    facts: tuple[Fact, ...]
    references: tuple[Reference, ...]


def canonical(snapshot: Snapshot) -> bytes:
    """The RFC 8785 bytes of a snapshot, all strings, booleans and exact integers.

    For such content msgspec's sorted encoding is RFC 8785 (a test compares the two), at a fortieth of the time.
    """
    return msgspec.json.encode(snapshot, order="sorted")


def fingerprint(content: bytes) -> str:
    """The SHA-256 of a snapshot's bytes, lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def rate_text(rate: Rate) -> RateText:
    """A rate as it is stored and printed."""
    return RateText(
        numerator=rate.numerator,
        denominator=rate.denominator,
        excluded=rate.excluded,
        rate=decimal_text(rate.value),
    )
