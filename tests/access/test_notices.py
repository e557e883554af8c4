"""A factory is told of requests for access while they wait for its answer, among its other notices."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from services.access.queries.notices import NEWEST_FIRST
from services.access.store.requests import Requests
from services.runtime.documents import Document, cursor_of
from tests.access import asking, disclosed
from tests.access.asking import REQUESTS, TODAY, accept, asking_of
from tests.access.disclosed import confirm, notices
from tests.access.parties import BUYER, FACTORY, GATEWAY, OTHER_BUYER, OTHER_FACTORY, access
from tests.support.services import Running, signed

ASKED = "notice-request-0-r1"
REMINDED = "notice-request-1-r1"
QUALITY = {"kinds": ["quality_productivity"]}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access that knows of gateways already, so that it may sweep."""
    async with access(tmp_path) as running:
        await running.get("/internal/consent?gateway=g", GATEWAY)
        yield running


def requests_of(service: Running) -> Requests:
    return asking_of(service).requests


async def made(service: Running, request_id: str, ago: timedelta) -> None:
    """A request that was made some time ago."""

    def earlier(moment: datetime) -> datetime:
        return moment - ago

    await requests_of(service).change(
        request_id,
        lambda request: (msgspec.structs.replace(request, asked_at=earlier(request.asked_at)), ()),
    )


async def test_a_request_that_waits_is_told_with_its_purpose(service: Running) -> None:
    request = await asking.ask(service, ends_on=(TODAY + timedelta(days=90)).isoformat(), message="For your eyes")
    (notice,) = await notices(service)
    assert (notice["id"], notice["kind"], notice["epoch"]) == (ASKED, "access_requested", 0)
    names = ("factory_id", "buyer_id", "kinds", "ends_on")
    assert {name: notice[name] for name in names} == {name: request[name] for name in names}
    assert (notice["record_id"], notice["at"], notice["reason"]) == ("r1", request["asked_at"], "Sourcing for spring")
    assert await notices(service, OTHER_FACTORY) == []


async def test_what_is_answered_withdrawn_or_over_waits_no_more(service: Running) -> None:
    await asking.ask(service)
    await accept(service)
    await asking.ask(service, request_id="r2")
    assert [each["record_id"] for each in await notices(service)] == ["r2"]
    await service.post(f"{REQUESTS}/r2/refusal", FACTORY, {"reason": "Not now"})
    await asking.ask(service, request_id="r3")
    await service.http.post(f"{REQUESTS}/r3/withdrawal", headers=signed(BUYER))
    assert await notices(service) == []


async def test_a_request_that_nobody_answered_in_time_is_told_no_more(tmp_path: Path) -> None:
    async with access(tmp_path, request_days=0) as service:
        await asking.ask(service)
        assert await notices(service) == []


async def test_a_reminder_is_a_notice_of_its_own_and_the_last_one_stands(service: Running) -> None:
    await asking.ask(service)
    read = await service.post(f"/api/v1/notices/{ASKED}/reading", FACTORY)
    assert read.json()["read_at"] is not None
    assert await notices(service, query="?unread=true") == []
    (asked,) = await notices(service)
    now = datetime.now(UTC)
    for days, number in ((8, 1), (22, 2)):
        await asking_of(service).sweep(now=now + timedelta(days=days))
        (unread,) = await notices(service, query="?unread=true")
        assert (unread["kind"], unread["id"]) == ("access_request_reminded", f"notice-request-{number}-r1")
        assert [each["id"] for each in await notices(service)] == [unread["id"], ASKED]
    due = datetime.fromisoformat(unread["at"]) - datetime.fromisoformat(asked["at"])
    assert due == timedelta(days=21)


async def test_a_notice_that_was_shown_can_be_read_after_the_answer(service: Running) -> None:
    await asking.ask(service)
    await accept(service)
    for _ in range(2):
        answer = await service.post(f"/api/v1/notices/{ASKED}/reading", FACTORY)
        assert (answer.status_code, answer.json()["kind"]) == (201, "access_requested")


@pytest.mark.parametrize(
    "notice_id", [REMINDED, "notice-request-00-r1", "notice-request--r1", "notice-request-0-r9", "notice-request-0-"]
)
async def test_what_a_factory_was_not_told_it_cannot_have_read(service: Running, notice_id: str) -> None:
    await asking.ask(service)
    assert (await service.post(f"/api/v1/notices/{notice_id}/reading", FACTORY)).status_code == 404


async def test_nobody_reads_the_notices_of_another_factory(service: Running) -> None:
    await asking.ask(service)
    answer = await service.post(f"/api/v1/notices/{ASKED}/reading", OTHER_FACTORY)
    assert answer.status_code == 404
    for caller in (BUYER, OTHER_BUYER):
        assert (await service.post(f"/api/v1/notices/{ASKED}/reading", caller)).status_code in {403, 404}
    (notice,) = await notices(service)
    assert notice["read_at"] is None


async def test_all_notices_come_in_pages_newest_first(service: Running) -> None:
    for request_id, fields, days in (("r1", {}, 40), ("r2", QUALITY, 0)):
        await asking.ask(service, request_id=request_id, **fields)
        await made(service, request_id, timedelta(days=days))
    await disclosed.ask(service, buyer_ids=["b1", "b2"])
    await confirm(service)
    whole = await notices(service)
    kinds = ["disclosure_made", "disclosure_made", "access_requested", "access_requested"]
    assert [each["kind"] for each in whole] == kinds
    assert [each["at"] for each in whole] == sorted((each["at"] for each in whole), reverse=True)
    for limit in (1, 2, 3):
        shown, cursor = [], ""
        while True:
            page = (await service.get(f"/api/v1/notices?limit={limit}{cursor}", FACTORY)).json()
            shown += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert shown == whole


@pytest.mark.parametrize("place", [{"_id": ASKED, "at": 5}, {"_id": None, "at": "2026-01-01"}])
async def test_the_list_goes_on_behind_a_notice_and_nothing_else(service: Running, place: Document) -> None:
    answer = await service.get(f"/api/v1/notices?cursor={cursor_of(place, NEWEST_FIRST)}", FACTORY)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
