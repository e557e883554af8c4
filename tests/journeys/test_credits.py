"""A participant pays for one cycle of one factory and sees that; a disclosure shows without consent and credit."""

import csv
import io

import pytest

from tests.journeys.country import Case, Country, Party

pytestmark = pytest.mark.timeout(180)


def single_things(case: Case) -> tuple[str, ...]:
    return (
        f"/reports/{case.report_id}",
        f"/reports/{case.report_id}/file",
        f"/plans/{case.plan_id}",
        f"/plans/{case.plan_id}/progress",
    )


async def statuses(country: Country, user: Party, case: Case) -> set[int]:
    return {await country.status(user, path) for path in single_things(case)}


async def lists(country: Country, user: Party) -> tuple[set[str], set[str]]:
    return await country.ids(user, "/reports"), await country.ids(user, "/plans")


async def spend(country: Country, buyer: Party, case: Case, cycle: int) -> tuple[int, str]:
    """The status and, of a refusal, the code."""
    body = {"buyer_id": buyer.id, "factory_id": case.factory.id, "cycle": cycle}
    answer = await country.person(buyer).call("POST", "/entitlements", body)
    return answer.status, answer.json.get("code", "")


async def two_cycles(country: Country) -> tuple[Case, Case]:
    """A factory with a released report and a plan of each of two cycles."""
    first = await country.a_released_case(cycle=1)
    return first, await country.a_released_case(first.factory, cycle=2)


async def test_a_participant_buys_a_credit_spends_it_and_sees_that_cycle_and_not_the_other(country: Country) -> None:
    first, second = await two_cycles(country)
    buyer = await country.buyer(is_partner=False)
    grant_id = await country.grant(first, buyer)
    epoch = (await country.do(buyer, "GET", f"/grants/{grant_id}")).json["epoch"]
    await country.until_decided_at(buyer, epoch)
    assert [await statuses(country, buyer, case) for case in (first, second)] == [{404}, {404}]
    assert await lists(country, buyer) == (set(), set())
    assert await spend(country, buyer, first, 2) == (409, "no_credit")

    bought = {"buyer_id": buyer.id, "credits": 1, "reference": "Invoice 12", "amount": "1400", "currency": "USD"}
    await country.do("admin", "POST", "/purchases", bought)
    assert await spend(country, buyer, first, 2) == (201, "")
    assert await spend(country, buyer, first, 2) == (201, "")
    assert await spend(country, buyer, first, 1) == (409, "no_credit")
    await country.until_readable(buyer, f"/reports/{second.report_id}")
    assert [await statuses(country, buyer, case) for case in (first, second)] == [{404}, {200}]
    assert await lists(country, buyer) == ({second.report_id}, {second.plan_id})

    statement = (await country.do(buyer, "GET", "/statement")).json
    assert [(line["turn"], line["cycle"], line["balance"]) for line in statement["items"]] == [
        ("bought", None, 1),
        ("spent", 2, 0),
    ]
    table = (await country.do(buyer, "GET", "/statement?format=csv")).body.decode()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["reference"], row["credits"], row["person"]) for row in rows] == [
        ("Invoice 12", "1", ""),
        ("", "-1", ""),
    ]


async def test_a_credit_that_was_read_for_is_used_up_and_its_end_shows_nothing_more(country: Country) -> None:
    case, buyer = await country.a_released_case(), await country.buyer(is_partner=False)
    await country.grant(case, buyer)
    await country.do("admin", "POST", "/purchases", {"buyer_id": buyer.id, "credits": 1, "reference": "Invoice 1"})
    body = {"buyer_id": buyer.id, "factory_id": case.factory.id, "cycle": 1}
    entitlement = (await country.do(buyer, "POST", "/entitlements", body)).json
    await country.until_readable(buyer, f"/reports/{case.report_id}")
    path = f"/entitlements/{entitlement['id']}?reason=Wrong+cycle"
    answer = await country.person("admin").call("DELETE", f"{path}&return_credit=true")
    assert (answer.status, answer.json["code"]) == (409, "already_read")
    await country.do("admin", "DELETE", path)
    assert await statuses(country, buyer, case) == {404}
    assert (await country.do(buyer, "GET", "/statement")).json["closing_balance"] == 0


async def test_a_disclosure_shows_without_grant_and_credit_tells_the_factory_and_stops_when_it_ends(
    country: Country,
) -> None:
    first, second = await two_cycles(country)
    buyer, other = await country.buyer(is_partner=False), await country.buyer()
    kinds = ["assessment", "improvement_plan", "progress"]
    disclosure_id = await country.disclosure(first, (buyer,), kinds=kinds, cycles=[1])
    await country.until_readable(buyer, f"/reports/{first.report_id}")
    assert [await statuses(country, buyer, case) for case in (first, second)] == [{200}, {404}]
    assert await statuses(country, other, first) == {404}
    assert await lists(country, buyer) == ({first.report_id}, {first.plan_id})

    (notice,) = (await country.do(first.factory, "GET", "/notices?unread=true")).json["items"]
    assert (notice["kind"], notice["buyer_id"], notice["cycles"]) == ("disclosure_made", buyer.id, [1])
    reads = (await country.do(first.factory, "GET", "/reads")).json["items"]
    assert {read["buyer_id"] for read in reads} == {buyer.id}
    answer = await country.person(first.factory).call("DELETE", f"/disclosures/{disclosure_id}")
    assert (answer.status, answer.json["code"]) == (409, "disclosure_stands")

    await country.do("leader", "DELETE", f"/disclosures/{disclosure_id}")
    assert await statuses(country, buyer, first) == {404}
    assert await lists(country, buyer) == (set(), set())
