"""Rates of non-compliance: exact counts and fractions, never floats; a rate never travels without its counts.

The rules are those of the Better Work R manual: a compliance point is non-compliant in a factory if any of its
questions has a finding, and a country's cluster figure is the mean of its factories' cluster rates.
Change ``FORMULA_VERSION`` with every change of a result.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from contracts.assessment import OutcomeV1
from contracts.vocabulary import COMPLIANCE_POINTS, POINT_BY_CODE, Outcome

FORMULA_VERSION: Final = "star-rates-1"
_ORDER: Final = {point.code: place for place, point in enumerate(COMPLIANCE_POINTS)}


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share with its counts: ``excluded`` are those that could have been counted and were not."""

    numerator: int
    denominator: int
    excluded: int

    @property
    def value(self) -> Fraction | None:
        """The exact share, ``None`` when nothing was counted."""
        return Fraction(self.numerator, self.denominator) if self.denominator else None


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """A mean of factories' rates: exact, over ``factories`` of them, without the ``excluded`` ones."""

    value: Fraction | None
    factories: int
    excluded: int


class PointCount(msgspec.Struct, frozen=True, kw_only=True):
    """How the questions of one compliance point came out in one visit."""

    point: str
    compliant: int = 0
    non_compliant: int = 0
    not_applicable: int = 0
    not_assessed: int = 0

    @property
    def cluster(self) -> str:
        """The cluster that the point belongs to."""
        return POINT_BY_CODE[self.point].cluster

    @property
    def counts(self) -> bool:
        """Whether any question was judged: otherwise the point is in no denominator."""
        return self.compliant + self.non_compliant > 0

    @property
    def is_non_compliant(self) -> bool:
        """Whether any question has a finding."""
        return self.non_compliant > 0


class VisitResult(msgspec.Struct, frozen=True, kw_only=True):
    """What rates need of a visit. ``visited_on`` is an ISO date; only visits of full scope count."""

    factory_id: str
    visit_id: str
    visited_on: str
    is_full: bool
    points: tuple[PointCount, ...]


def decimal_text(value: Fraction | None) -> str | None:
    """A share as a decimal string with four places, half to even; ``None`` stays ``None``."""
    if value is None:
        return None
    ten_thousandths = round(value * 10_000)
    return f"{ten_thousandths // 10_000}.{ten_thousandths % 10_000:04d}"


def point_counts(outcomes: Iterable[OutcomeV1]) -> tuple[PointCount, ...]:
    """Count outcomes by compliance point, in the order of the vocabulary; unknown points are left out."""
    counts: dict[str, dict[Outcome, int]] = {}
    for row in outcomes:
        if row.compliance_point in _ORDER:
            of_point = counts.setdefault(row.compliance_point, dict.fromkeys(Outcome, 0))
            of_point[row.outcome] += 1
    return tuple(
        PointCount(point=point, **{outcome.value: n for outcome, n in counts[point].items()})
        for point in sorted(counts, key=_ORDER.__getitem__)
    )


def factory_rate(points: Iterable[PointCount]) -> Rate:
    """Non-compliant points of those that count; the excluded ones had no judged question."""
    points = tuple(points)
    counting = [point for point in points if point.counts]
    found = sum(point.is_non_compliant for point in counting)
    return Rate(numerator=found, denominator=len(counting), excluded=len(points) - len(counting))


def cluster_rates(points: Sequence[PointCount]) -> dict[str, Rate]:
    """The factory rate within each cluster that has a point here."""
    clusters = dict.fromkeys(point.cluster for point in points)
    return {cluster: factory_rate(p for p in points if p.cluster == cluster) for cluster in clusters}


def latest_per_factory(visits: Iterable[VisitResult]) -> list[VisitResult]:
    """The latest full visit of each factory, a tie broken by the visit's id; in the order of factory ids.

    A factory without any full visit is represented by its latest short one, which the rates count as excluded.
    """
    latest: dict[str, VisitResult] = {}
    for visit in visits:
        present = latest.get(visit.factory_id)
        if present is None or _precedence(present) < _precedence(visit):
            latest[visit.factory_id] = visit
    return [latest[factory_id] for factory_id in sorted(latest)]


def _precedence(visit: VisitResult) -> tuple[bool, str, str]:
    return (visit.is_full, visit.visited_on, visit.visit_id)


def point_rate(visits: Iterable[VisitResult], point: str) -> Rate:
    """Factories that are non-compliant on a point, of those where it counts; one visit per factory."""
    visits = tuple(visits)
    counted = [count for visit in visits if (count := counted_point(visit, point)) is not None]
    found = sum(count.is_non_compliant for count in counted)
    return Rate(numerator=found, denominator=len(counted), excluded=len(visits) - len(counted))


def counted_point(visit: VisitResult, point: str) -> PointCount | None:
    """What a visit says of a point, if it belongs into the denominator."""
    if not visit.is_full:
        return None
    return next((count for count in visit.points if count.point == point and count.counts), None)


def cluster_mean(visits: Iterable[VisitResult], cluster: str) -> Mean:
    """The mean of the factories' rates within a cluster, exact; one visit per factory."""
    visits = tuple(visits)
    rates = [rate.value for visit in visits if (rate := counted_cluster(visit, cluster)) is not None]
    shares = [share for share in rates if share is not None]
    mean = sum(shares, Fraction(0)) / len(shares) if shares else None
    return Mean(value=mean, factories=len(shares), excluded=len(visits) - len(shares))


def counted_cluster(visit: VisitResult, cluster: str) -> Rate | None:
    """A visit's rate within a cluster, if it belongs into the mean."""
    if not visit.is_full:
        return None
    rate = factory_rate(count for count in visit.points if count.cluster == cluster)
    return rate if rate.denominator else None


def question_rate(outcomes: Mapping[str, Outcome | None]) -> Rate:
    """Factories with a finding on a question, of those where it was judged; ``outcomes`` by factory id.

    ``None`` stands for a factory whose questionnaire or short visit did not ask the question.
    """
    judged = [outcome for outcome in outcomes.values() if outcome is not None and outcome.counts]
    found = sum(outcome is Outcome.NON_COMPLIANT for outcome in judged)
    return Rate(numerator=found, denominator=len(judged), excluded=len(outcomes) - len(judged))
