"""Rates against hand-checked cases, and against a naive model that shares no code with them."""

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.assessment import OutcomeV1
from contracts.vocabulary import COMPLIANCE_POINTS, POINT_BY_CODE, Outcome
from services.reporting.domain.rates import (
    Rate,
    VisitResult,
    cluster_mean,
    decimal_text,
    factory_rate,
    latest_per_factory,
    point_counts,
    point_rate,
    question_rate,
)

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


class GoldenVisit(msgspec.Struct):
    factory: str
    visit: str
    on: str
    full: bool
    outcomes: list[tuple[str, Outcome]]


class GoldenRate(msgspec.Struct):
    numerator: int
    denominator: int
    excluded: int
    rate: str | None


class GoldenMean(msgspec.Struct):
    mean: str
    factories: int
    excluded: int
    rate: str


class GoldenCase(msgspec.Struct):
    why: str
    visits: list[GoldenVisit]
    points: dict[str, GoldenRate]
    clusters: dict[str, GoldenMean]
    factories: dict[str, GoldenRate]


def outcomes_of(rows: list[tuple[str, Outcome]]) -> list[OutcomeV1]:
    return [
        OutcomeV1(
            question_id=f"q{n}",
            global_id=f"G-{n}",
            cluster=POINT_BY_CODE[point].cluster,
            compliance_point=point,
            outcome=outcome,
        )
        for n, (point, outcome) in enumerate(rows)
    ]


def result_of(visit: GoldenVisit) -> VisitResult:
    return VisitResult(
        factory_id=visit.factory,
        visit_id=visit.visit,
        visited_on=visit.on,
        is_full=visit.full,
        points=point_counts(outcomes_of(visit.outcomes)),
    )


def as_golden(rate: Rate) -> GoldenRate:
    return GoldenRate(rate.numerator, rate.denominator, rate.excluded, decimal_text(rate.value))


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> GoldenCase:
    return msgspec.json.decode(request.param.read_bytes(), type=GoldenCase)


def latest_of(case: GoldenCase) -> list[VisitResult]:
    return latest_per_factory(result_of(visit) for visit in case.visits)


def test_point_rates_are_those_worked_out_by_hand(case: GoldenCase) -> None:
    found = {code: as_golden(point_rate(latest_of(case), code)) for code in case.points}
    assert found == case.points


def test_cluster_means_are_those_worked_out_by_hand(case: GoldenCase) -> None:
    found = {code: cluster_mean(latest_of(case), code) for code in case.clusters}
    assert {
        code: GoldenMean(str(mean.value), mean.factories, mean.excluded, decimal_text(mean.value) or "")
        for code, mean in found.items()
    } == case.clusters


def test_factory_rates_are_those_worked_out_by_hand(case: GoldenCase) -> None:
    found = {visit.factory_id: as_golden(factory_rate(visit.points)) for visit in latest_of(case) if visit.is_full}
    assert found == case.factories


def test_a_question_rate_counts_the_factories_where_it_was_judged() -> None:
    outcomes = {
        "A": Outcome.NON_COMPLIANT,
        "B": Outcome.COMPLIANT,
        "C": Outcome.NOT_APPLICABLE,
        "D": Outcome.NOT_ASSESSED,
        "E": None,
    }
    assert question_rate(outcomes) == Rate(numerator=1, denominator=2, excluded=3)


def test_nothing_counted_is_no_rate() -> None:
    assert decimal_text(factory_rate(()).value) is None
    assert cluster_mean((), "osh").value is None


def test_the_order_of_visits_does_not_matter(case: GoldenCase) -> None:
    visits = [result_of(visit) for visit in case.visits]
    assert latest_per_factory(visits) == latest_per_factory(reversed(visits))


codes = st.sampled_from([point.code for point in COMPLIANCE_POINTS[:8]])
rows = st.lists(st.tuples(codes, st.sampled_from(Outcome)), max_size=12)
golden_visits = st.lists(
    st.builds(
        GoldenVisit,
        factory=st.sampled_from("ABCDE"),
        visit=st.uuids(version=4).map(str),
        on=st.sampled_from(["2026-01-01", "2026-01-02", "2026-02-01"]),
        full=st.booleans(),
        outcomes=rows,
    ),
    max_size=12,
)


def naive_latest(visits: list[GoldenVisit]) -> dict[str, GoldenVisit]:
    """The rule as the manual says it: full visits, sorted by date and id, the last row of each factory."""
    ordered = sorted((visit for visit in visits if visit.full), key=lambda visit: (visit.on, visit.visit))
    return {visit.factory: visit for visit in ordered}


def naive_flags(visit: GoldenVisit) -> dict[str, int]:
    """1 or 0 for each point that has a judged question."""
    sums: dict[str, list[int]] = defaultdict(list)
    for point, outcome in visit.outcomes:
        if outcome.value in {"compliant", "non_compliant"}:
            sums[point].append(1 if outcome.value == "non_compliant" else 0)
    return {point: int(sum(findings) > 0) for point, findings in sums.items()}


@given(golden_visits, codes)
def test_point_rates_agree_with_the_naive_model(visits: list[GoldenVisit], code: str) -> None:
    flags = [naive_flags(visit) for visit in naive_latest(visits).values()]
    counted = [found[code] for found in flags if code in found]
    rate = point_rate(latest_per_factory(map(result_of, visits)), code)
    assert (rate.numerator, rate.denominator) == (sum(counted), len(counted))
    assert rate.denominator + rate.excluded == len({visit.factory for visit in visits})


@given(golden_visits)
def test_cluster_means_agree_with_the_naive_model(visits: list[GoldenVisit]) -> None:
    for cluster in ("child_labour", "discrimination", "forced_labour"):
        shares = []
        for visit in naive_latest(visits).values():
            flags = [flag for point, flag in naive_flags(visit).items() if POINT_BY_CODE[point].cluster == cluster]
            if flags:
                shares.append(Fraction(sum(flags), len(flags)))
        mean = cluster_mean(latest_per_factory(map(result_of, visits)), cluster)
        assert mean.factories == len(shares)
        assert mean.value == (sum(shares) / len(shares) if shares else None)


@given(st.fractions(min_value=0, max_value=1))
def test_a_share_is_written_to_four_places_half_to_even(share: Fraction) -> None:
    with localcontext(prec=200):
        exact = Decimal(share.numerator) / Decimal(share.denominator)
        assert decimal_text(share) == str(exact.quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN))


@pytest.mark.parametrize(("share", "text"), [("1/20000", "0.0000"), ("3/20000", "0.0002"), ("1", "1.0000")])
def test_an_exact_half_goes_to_the_even_neighbour(share: str, text: str) -> None:
    assert decimal_text(Fraction(share)) == text
