"""Who sees what: only what is released, granted, for that kind and on that day; never one another's."""

from datetime import timedelta

import pytest

from tests.journeys.country import Case, Country, Party, today

pytestmark = pytest.mark.timeout(180)


def single_things(case: Case) -> tuple[str, ...]:
    return (f"/reports/{case.report_id}", f"/reports/{case.report_id}/file", f"/plans/{case.plan_id}")


async def statuses(country: Country, user: Party, case: Case) -> list[int]:
    return [await country.status(user, path) for path in single_things(case)]


async def test_two_factories_and_two_buyers_see_only_their_own(country: Country) -> None:
    cases = [await country.a_released_case() for _ in range(2)]
    buyers = [await country.buyer() for _ in range(2)]
    for case, buyer in zip(cases, buyers, strict=True):
        await country.grant(case, buyer)
        await country.until_readable(buyer, f"/reports/{case.report_id}")
    for mine, other in ((0, 1), (1, 0)):
        case, buyer = cases[mine], buyers[mine]
        for party in (case.factory, buyer):
            assert await statuses(country, party, case) == [200, 200, 200]
            assert await statuses(country, party, cases[other]) == [404, 404, 404]
            assert await country.ids(party, "/reports") == {case.report_id}
            assert await country.ids(party, f"/reports?factory_id={cases[other].factory.id}") == set()
            assert await country.ids(party, "/plans") == {case.plan_id}
            assert await country.ids(party, "/factories") == {case.factory.id}
            assert len(await country.ids(party, "/grants")) == 1
        trainings = (await country.do(case.factory, "GET", "/training/recommendations")).json["items"]
        assert {item["factory_id"] for item in trainings} == {case.factory.id}


async def test_nobody_reads_the_numbers_of_two_factories_out_of_the_aggregates(country: Country) -> None:
    industry = "C1520"
    factories = [await country.factory(industry=industry) for _ in range(2)]
    cases = [await country.a_released_case(factory) for factory in factories]
    buyer = await country.buyer()
    await country.grant(cases[0], buyer)
    path = f"/aggregates/compliance-points?cycle=1&industry={industry}"
    seen_by_staff = (await country.do("leader", "GET", path)).json["items"]
    assert {figure["factories"] for figure in seen_by_staff} == {2}
    for party in (factories[0], factories[1], buyer, Party("analyst", "")):
        figures = (await country.do(party, "GET", path)).json["items"]
        assert len(figures) == len(seen_by_staff)
        for figure in figures:
            numbers = ("numerator", "denominator", "factories", "excluded", "rate")
            assert figure["is_suppressed"], figure
            assert [figure[number] for number in numbers] == [None] * len(numbers)


@pytest.mark.parametrize(("kind", "expected"), [("assessment", [200, 200, 404]), ("improvement_plan", [404, 404, 200])])
async def test_a_grant_for_one_kind_shows_that_kind_only(country: Country, kind: str, expected: list[int]) -> None:
    case, buyer = await country.a_released_case(), await country.buyer()
    await country.grant(case, buyer, kinds=[kind])
    await country.until_readable(buyer, f"/factories/{case.factory.id}")
    assert await statuses(country, buyer, case) == expected
    is_assessment = kind == "assessment"
    assert await country.ids(buyer, "/reports") == ({case.report_id} if is_assessment else set())
    assert await country.ids(buyer, "/plans") == (set() if is_assessment else {case.plan_id})


async def test_a_grant_that_starts_tomorrow_shows_nothing_today(country: Country) -> None:
    case, buyer = await country.a_released_case(), await country.buyer()
    tomorrow = today() + timedelta(days=1)
    grant_id = await country.grant(case, buyer, starts_on=tomorrow.isoformat())
    epoch = (await country.do(buyer, "GET", f"/grants/{grant_id}")).json["epoch"]
    await country.until_decided_at(buyer, epoch)
    assert await statuses(country, buyer, case) == [404, 404, 404]
    assert await country.ids(buyer, "/reports") == set()


async def test_a_grant_for_today_only_shows_everything_today(country: Country) -> None:
    case, buyer = await country.a_released_case(), await country.buyer()
    day = today().isoformat()
    await country.grant(case, buyer, starts_on=day, ends_on=day)
    await country.until_readable(buyer, f"/reports/{case.report_id}")
    assert await statuses(country, buyer, case) == [200, 200, 200]


async def test_a_grant_that_ended_yesterday_is_refused_and_shows_nothing(country: Country) -> None:
    case, buyer = await country.a_released_case(), await country.buyer()
    yesterday, before = today() - timedelta(days=1), today() - timedelta(days=30)
    body = {"factory_id": case.factory.id, "buyer_id": buyer.id, "purpose": "review"}
    body |= {"starts_on": before.isoformat(), "ends_on": yesterday.isoformat()}
    answer = await country.person(case.factory).call("POST", "/grants", body)
    assert (answer.status, answer.json["code"]) == (400, "grant_dates_wrong")
    assert await statuses(country, buyer, case) == [404, 404, 404]


async def test_a_factory_cannot_share_what_is_another_factorys(country: Country) -> None:
    case, buyer, thief = await country.a_released_case(), await country.buyer(), await country.factory()
    body = {"factory_id": case.factory.id, "buyer_id": buyer.id, "purpose": "review"}
    assert (await country.person(thief).call("POST", "/grants", body)).status == 404
    assert await statuses(country, buyer, case) == [404, 404, 404]


async def test_a_report_that_is_not_released_is_seen_by_the_programme_only(country: Country) -> None:
    factory, buyer = await country.factory(), await country.buyer()
    case = await country.followed_up(factory, await country.finalised_visit(factory))
    await country.grant(case, buyer)
    await country.until_readable(buyer, f"/factories/{factory.id}")
    assert await statuses(country, buyer, case) == [404, 404, 404]
    assert await country.status(factory, f"/reports/{case.report_id}") == 404
    assert await country.status("leader", f"/reports/{case.report_id}") == 200
