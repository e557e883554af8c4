"""A manufacturing group sees through the gateway what its factories see, and nothing of one that moved away."""

import asyncio

import pytest

from tests.journeys.country import Case, Country, Party
from tests.journeys.test_revocation import Watch

pytestmark = pytest.mark.timeout(180)

LISTS = ("/factories", "/reports", "/plans", "/training/recommendations")


def files_of(case: Case) -> tuple[str, ...]:
    """The addresses of what there is about one factory."""
    return (
        f"/factories/{case.factory.id}",
        f"/reports/{case.report_id}",
        f"/reports/{case.report_id}/file",
        f"/plans/{case.plan_id}",
    )


async def statuses(country: Country, user: Party, case: Case) -> set[int]:
    return {await country.status(user, path) for path in files_of(case)}


async def listed(country: Country, *users: Party) -> list[set[str]]:
    """What users see on every list, together."""
    return [set[str]().union(*[await country.ids(user, path) for user in users]) for path in LISTS]


async def two_and_one(country: Country) -> tuple[Case, Case, Case, Party]:
    """A group with two factories, and a third that belongs to nobody; a report of each is released."""
    one, two, three = [await country.a_released_case() for _ in range(3)]
    return one, two, three, await country.group(one.factory, two.factory)


async def test_a_group_sees_what_its_factories_see_and_nothing_of_others(country: Country) -> None:
    one, two, three, group = await two_and_one(country)
    assert await statuses(country, group, one) == await statuses(country, group, two) == {200}
    assert await statuses(country, group, three) == {404}
    assert await listed(country, group) == await listed(country, one.factory, two.factory)


async def test_a_factory_that_moved_to_another_group_is_seen_by_that_one_only(country: Country) -> None:
    one, two, _, group = await two_and_one(country)
    other = await country.group()
    await country.belongs(two.factory, other.id)
    assert await statuses(country, group, two) == {404}
    assert await statuses(country, other, two) == {200}
    assert await listed(country, group) == await listed(country, one.factory)
    await country.belongs(one.factory, "")
    assert await listed(country, group) == [set() for _ in LISTS]


async def test_no_read_of_a_group_succeeds_once_a_factory_has_left(country: Country) -> None:
    case = await country.a_released_case()
    group = await country.group(case.factory)
    watch = Watch(readers=4)
    readers = [asyncio.create_task(watch.read_on(country, group, path)) for path in files_of(case)]
    await watch.has_begun.wait()
    await country.belongs(case.factory, "")
    watch.is_revoked = True
    await asyncio.sleep(0.5)
    watch.is_over = True
    await asyncio.gather(*readers)
    assert set(watch.late) == {404}


async def test_what_a_group_has_outlives_a_restart(country: Country) -> None:
    one, two, three, group = await two_and_one(country)
    await country.belongs(two.factory, "")
    await country.world.restart_consent()
    await country.until_readable(group, f"/reports/{one.report_id}")
    assert await statuses(country, group, two) == await statuses(country, group, three) == {404}
