"""What figures tell to those outside of the programme: never the numbers of a small group, not even by subtraction."""

import random

import pytest

from services.reporting.domain.aggregate import FactoryResult, Figure, figures, newest_told_cycle
from tests.reporting.builders import NC, OK, a_result

POINT = "gender"


def group(n: int, *, industry: str = "C14", owners: int = 99, prefix: str = "", cycle: int = 1) -> list[FactoryResult]:
    return [
        a_result(
            f"{prefix}{industry}-{k}",
            {"gender_01": NC if k % 2 else OK},
            industry=industry,
            owner=f"{industry}-owner-{k % owners}",
            cycle=cycle,
        )
        for k in range(n)
    ]


def told(results: list[FactoryResult], industry: str | None = None, point: str | None = POINT) -> Figure:
    found = figures(results, industry=industry, is_for_staff=False)
    return next(figure for figure in found if figure.compliance_point == point)


def test_five_factories_of_three_owners_are_enough() -> None:
    figure = told(group(5, owners=3))
    assert (figure.numerator, figure.denominator, figure.rate, figure.is_suppressed) == (2, 5, "0.4000", False)


@pytest.mark.parametrize(("factories", "owners"), [(4, 4), (5, 2), (50, 2)])
def test_fewer_factories_or_owners_are_withheld(factories: int, owners: int) -> None:
    figure = told(group(factories, owners=owners))
    assert figure.is_suppressed
    assert {figure.numerator, figure.denominator, figure.factories, figure.excluded, figure.rate} == {None}


def test_factories_without_an_owner_group_are_groups_of_their_own() -> None:
    results = [a_result(f"f{k}", {"gender_01": OK}) for k in range(5)]
    assert not told(results).is_suppressed


def test_staff_see_small_groups() -> None:
    found = figures(group(1), industry=None, is_for_staff=True)
    assert [(figure.compliance_point, figure.denominator, figure.is_suppressed) for figure in found] == [
        (None, 1, False),
        (POINT, 1, False),
    ]


def test_a_cluster_is_withheld_when_one_of_its_points_is() -> None:
    results = group(9)
    results[0] = a_result("C14-0", {"gender_01": NC, "other_grounds_01": NC}, owner="C14-owner-0")
    assert told(results, point=None).is_suppressed
    assert not told(results).is_suppressed


def test_an_industry_is_withheld_when_the_rest_would_be_a_small_group() -> None:
    results = [*group(9, industry="C13"), *group(6, industry="C14"), *group(2, industry="C15")]
    hidden = {industry for industry in ("C13", "C14", "C15") if told(results, industry).is_suppressed}
    assert hidden == {"C14", "C15"}
    assert not told(results).is_suppressed


def test_the_newest_cycle_is_the_one_that_enough_factories_reached() -> None:
    results = [*group(9, cycle=1), *group(6, cycle=2), *group(2, cycle=3)]
    assert newest_told_cycle(results) == 2
    assert newest_told_cycle(group(2, cycle=3)) == 3
    assert newest_told_cycle([]) is None


def published(results: list[FactoryResult]) -> set[frozenset[str]]:
    """Everything an outsider can ask: the factories behind each figure that is told."""
    answers = set()
    for cycle in {result.cycle for result in results}:
        asked = [result for result in results if result.cycle == cycle]
        for industry in (None, "C13", "C14", "C15"):
            for figure in figures(asked, industry=industry, is_for_staff=False):
                if figure.compliance_point == POINT and figure.numerator is not None:
                    members = {f"{r.factory_id}/{cycle}" for r in asked if industry in {None, r.industry}}
                    answers.add(frozenset(members))
    return answers


@pytest.mark.parametrize("seed", range(60))
def test_an_attacker_who_subtracts_answers_from_each_other_learns_no_small_group(seed: int) -> None:
    chance = random.Random(seed)
    results = [
        a_result(
            f"f{k}",
            {"gender_01": chance.choice([OK, NC])},
            industry=chance.choice(["C13", "C14", "C14", "C15"]),
            owner=f"owner-{chance.randrange(9)}",
            cycle=cycle,
        )
        for k in range(chance.randrange(4, 30))
        for cycle in chance.choice([(1,), (2,), (2,), (1, 2)])
    ]
    owner = {f"{result.factory_id}/{result.cycle}": result.owner_group for result in results}
    known = published(results)
    for _ in range(2):  # differences, and differences of those
        known |= {whole - part for whole in known for part in known if part < whole}
    assert [members for members in known if len(members) < 5 or len({owner[one] for one in members}) < 3] == []
