"""Figures of many factories at once, and what must not be told because too few factories stand behind it.

A figure is told outside of the programme when at least ``FEWEST_FACTORIES`` factories of at least
``FEWEST_OWNERS`` owner groups stand behind it, and when no smaller group follows from it by subtraction.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from contracts.vocabulary import CLUSTERS, COMPLIANCE_POINTS
from services.reporting.domain.rates import (
    FORMULA_VERSION,
    VisitResult,
    cluster_mean,
    counted_cluster,
    counted_point,
    decimal_text,
    latest_per_factory,
    point_rate,
)

FEWEST_FACTORIES: Final = 5
FEWEST_OWNERS: Final = 3


class FactoryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory's visits of one cycle said; ``visit`` is the latest full one, or a short one if there is none.

    An empty ``owner_group`` means that the factory belongs to no group: it counts as a group of its own.
    """

    factory_id: str
    country: str
    cycle: int
    industry: str
    owner_group: str
    visit: VisitResult

    def with_visit(self, visit: VisitResult) -> "FactoryResult":
        """The result after one more visit of the same cycle, in whatever order they arrive."""
        latest = latest_per_factory((self.visit, visit))[0]
        return msgspec.structs.replace(self, visit=latest)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One rate over factories; the numbers are withheld (null) when ``is_suppressed``.

    A compliance point has the factories with a finding as ``numerator``. A cluster (``compliance_point`` null) has
    the exact mean of the factories' cluster rates as a fraction. ``factories`` counts those behind the figure.
    """

    cluster: str
    compliance_point: str | None
    numerator: int | None
    denominator: int | None
    factories: int | None
    excluded: int | None
    rate: str | None
    is_suppressed: bool = False
    formula_version: str = FORMULA_VERSION


Counts = Callable[[VisitResult], bool]


def figures(results: Iterable[FactoryResult], *, industry: str | None, is_for_staff: bool) -> list[Figure]:
    """Every cluster and compliance point that some factory was judged on, in the order of the vocabulary.

    ``results`` are those of every industry: what is told of one depends on the others. Outside of the programme
    they are those of one cycle, because figures over all cycles less those of one could single out late factories.
    """
    results = latest_results(results)
    visits = [result.visit for result in results if industry in {None, result.industry}]
    found: list[Figure] = []
    for cluster in CLUSTERS:
        codes = [point.code for point in COMPLIANCE_POINTS if point.cluster == cluster.code]
        points = [
            figure for figure in (_point_figure(cluster.code, code, visits) for code in codes) if figure.factories
        ]
        if not points:
            continue
        whole = _cluster_figure(cluster.code, visits)
        found += [whole, *points] if is_for_staff else _told(whole, points, results, industry)
    return found


def latest_results(results: Iterable[FactoryResult]) -> list[FactoryResult]:
    """One result per factory, that of its latest visit."""
    results = tuple(results)
    by_visit = {(result.factory_id, result.visit.visit_id): result for result in results}
    return [by_visit[(v.factory_id, v.visit_id)] for v in latest_per_factory(r.visit for r in results)]


def _point_figure(cluster: str, code: str, visits: Sequence[VisitResult]) -> Figure:
    rate = point_rate(visits, code)
    return Figure(
        cluster=cluster,
        compliance_point=code,
        numerator=rate.numerator,
        denominator=rate.denominator,
        factories=rate.denominator,
        excluded=rate.excluded,
        rate=decimal_text(rate.value),
    )


def _cluster_figure(cluster: str, visits: Sequence[VisitResult]) -> Figure:
    mean = cluster_mean(visits, cluster)
    return Figure(
        cluster=cluster,
        compliance_point=None,
        numerator=None if mean.value is None else mean.value.numerator,
        denominator=None if mean.value is None else mean.value.denominator,
        factories=mean.factories,
        excluded=mean.excluded,
        rate=decimal_text(mean.value),
    )


def _told(
    whole: Figure, points: Sequence[Figure], results: Sequence[FactoryResult], industry: str | None
) -> list[Figure]:
    """The figures of a cluster and its points with the numbers of small groups withheld."""

    def point_counts(code: str) -> Counts:
        return lambda visit: counted_point(visit, code) is not None

    def cluster_counts(visit: VisitResult) -> bool:
        return counted_cluster(visit, whole.cluster) is not None

    told = [
        _suppressed(figure) if _is_withheld(results, industry, point_counts(figure.compliance_point or "")) else figure
        for figure in points
    ]
    # A withheld point could be worked out from the cluster's exact mean and the points beside it.
    if any(figure.is_suppressed for figure in told) or _is_withheld(results, industry, cluster_counts):
        whole = _suppressed(whole)
    return [whole, *told]


def _suppressed(figure: Figure) -> Figure:
    return Figure(
        cluster=figure.cluster,
        compliance_point=figure.compliance_point,
        numerator=None,
        denominator=None,
        factories=None,
        excluded=None,
        rate=None,
        is_suppressed=True,
    )


def _is_withheld(results: Sequence[FactoryResult], industry: str | None, counts: Counts) -> bool:
    """Whether the figure of an industry (or of all) must not be told."""
    counted = [result for result in results if counts(result.visit)]
    return not _is_enough(counted) if industry is None else industry in withheld_industries(counted)


def withheld_industries(counted: Sequence[FactoryResult]) -> set[str]:
    """The industries whose figure is not told.

    Those with too few factories; and while what is withheld in all is still too small (so that the country's figure
    less the told industries would give it away), the smallest of the others too.
    """
    groups: dict[str, list[FactoryResult]] = {}
    for result in counted:
        groups.setdefault(result.industry, []).append(result)
    told = sorted(groups, key=lambda code: (-len(groups[code]), code))
    withheld = {code for code in told if not _is_enough(groups[code])}
    told = [code for code in told if code not in withheld]
    while withheld and told and not _is_enough([result for code in withheld for result in groups[code]]):
        withheld.add(told.pop())
    return withheld


def _is_enough(group: Sequence[FactoryResult]) -> bool:
    owners = {result.owner_group or f"factory {result.factory_id}" for result in group}
    return len(group) >= FEWEST_FACTORIES and len(owners) >= FEWEST_OWNERS


def newest_told_cycle(results: Iterable[FactoryResult]) -> int | None:
    """The newest cycle that enough factories have reached, else the newest of all; ``None`` without results."""
    reached = Counter(result.cycle for result in results)
    enough = [cycle for cycle, factories in reached.items() if factories >= FEWEST_FACTORIES]
    return max(enough or reached, default=None)
