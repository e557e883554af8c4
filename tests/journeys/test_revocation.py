"""When a factory says stop, every copy stops: from the moment the revocation is answered, and for good."""

import asyncio

import aiohttp
import pytest

from tests.journeys.country import Case, Country, Party

pytestmark = pytest.mark.timeout(180)
ROUNDS = 50


async def a_shared_report(country: Country) -> tuple[Case, Party, str, str]:
    """A released case, a buyer that reads it, the grant, and the path of the report."""
    case, buyer = await country.a_released_case(), await country.buyer()
    grant_id = await country.grant(case, buyer)
    path = f"/reports/{case.report_id}"
    await country.until_readable(buyer, path)
    return case, buyer, grant_id, path


async def sees_nothing(country: Country, buyer: Party, case: Case) -> None:
    for path in (f"/reports/{case.report_id}", f"/reports/{case.report_id}/file", f"/plans/{case.plan_id}"):
        assert await country.status(buyer, path) == 404
    for path in ("/reports", "/plans", "/factories"):
        assert await country.ids(buyer, path) == set()


async def status_or_cut(country: Country, buyer: Party, path: str) -> int:
    """The status of a read, 0 when the answer was cut off because the revocation came in the middle of it."""
    try:
        return await country.status(buyer, path)
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError):
        return 0


class Watch:
    """Readers who read without a pause, and the statuses of what they asked after the revocation was answered."""

    def __init__(self, readers: int) -> None:
        self.has_begun = asyncio.Event()
        self.is_revoked = self.is_over = False
        self.late: list[int] = []
        self._to_begin = readers

    async def read_on(self, country: Country, buyer: Party, path: str) -> None:
        while not self.is_over:
            is_late = self.is_revoked
            status = await status_or_cut(country, buyer, path)
            self._to_begin -= 1
            if self._to_begin <= 0:
                self.has_begun.set()
            if is_late:
                self.late.append(status)


async def test_what_one_grant_showed_another_still_shows_until_both_are_revoked(country: Country) -> None:
    case, buyer, first, path = await a_shared_report(country)
    second = await country.grant(case, buyer, purpose="A second agreement")
    await country.revoke(case, first)
    assert await country.status(buyer, path) == 200
    await country.revoke(case, second)
    await sees_nothing(country, buyer, case)


async def test_revoking_from_one_buyer_takes_nothing_from_the_other(country: Country) -> None:
    case, buyer, grant_id, path = await a_shared_report(country)
    other = await country.buyer()
    await country.grant(case, other)
    await country.until_readable(other, path)
    await country.revoke(case, grant_id)
    await sees_nothing(country, buyer, case)
    assert await country.status(other, path) == 200


async def test_revoking_twice_is_as_good_as_once(country: Country) -> None:
    case, buyer, grant_id, _ = await a_shared_report(country)
    await country.revoke(case, grant_id)
    seen = (await country.do(case.factory, "GET", f"/grants/{grant_id}")).json
    await country.revoke(case, grant_id)
    assert (await country.do(case.factory, "GET", f"/grants/{grant_id}")).json == seen
    await sees_nothing(country, buyer, case)


async def test_only_a_new_grant_shows_again_what_was_revoked(country: Country) -> None:
    case, buyer, grant_id, path = await a_shared_report(country)
    await country.revoke(case, grant_id)
    repeated = {"id": grant_id, "factory_id": case.factory.id, "buyer_id": buyer.id, "purpose": "review"}
    answer = await country.person(case.factory).call("POST", "/grants", repeated)
    assert answer.json["revoked_at"], "the old request again must not undo the revocation"
    await sees_nothing(country, buyer, case)
    await country.grant(case, buyer)
    await country.until_readable(buyer, path)


async def test_another_factory_cannot_revoke(country: Country) -> None:
    _, buyer, grant_id, path = await a_shared_report(country)
    stranger = await country.factory()
    for user in (stranger, buyer, Party("admin", "")):
        assert (await country.person(user).call("DELETE", f"/grants/{grant_id}")).status == 404
    assert await country.status(buyer, path) == 200


async def test_no_read_that_begins_after_the_revocation_was_answered_shows_anything(country: Country) -> None:
    case, buyer, grant_id, path = await a_shared_report(country)
    paths = (path, f"/plans/{case.plan_id}", f"{path}/file", f"/factories/{case.factory.id}")
    late = 0
    for _ in range(ROUNDS):
        watch = Watch(len(paths))
        readers = [asyncio.create_task(watch.read_on(country, buyer, each)) for each in paths]
        await watch.has_begun.wait()
        await country.revoke(case, grant_id)
        watch.is_revoked = True
        assert await country.status(buyer, path) == 404
        assert await country.ids(buyer, "/reports") == set()
        watch.is_over = True
        await asyncio.gather(*readers)
        assert set(watch.late) <= {404}, watch.late
        late += len(watch.late)
        grant_id = await country.grant(case, buyer)
        await country.until_readable(buyer, path)
    assert late >= ROUNDS, "hardly anybody asked after a revocation was answered: nothing was tried"


async def test_a_revocation_outlives_the_processes_that_keep_it(country: Country) -> None:
    case, buyer, grant_id, path = await a_shared_report(country)
    kept, other = await country.a_released_case(), await country.buyer()
    await country.grant(kept, other)
    await country.revoke(case, grant_id)
    await country.world.restart_consent()
    await country.until_readable(other, f"/reports/{kept.report_id}")
    await sees_nothing(country, buyer, case)
    fresh = await country.grant(case, buyer)
    await country.until_readable(buyer, path)
    await country.revoke(case, fresh)
    await sees_nothing(country, buyer, case)
