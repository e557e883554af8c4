"""The changes feed and webhooks over HTTP, as a buyer's program meets them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.identity import Role
from contracts.remediation import PlanChangedV1
from contracts.reporting import ReportReleasedV1
from contracts.vocabulary import ReportKind
from services.runtime.bus import Ack
from tests.access.hooks import a_receiver
from tests.access.parties import ADMIN, BUYER, FACTORY, GATEWAY, OTHER_BUYER, a_grant, access
from tests.support.eventually import eventually
from tests.support.services import Running, a_principal, signed

PLAN = PlanChangedV1(plan_id="p1", factory_id="f1", cycle=1, kinds=(ReportKind.IMPROVEMENT_PLAN, ReportKind.PROGRESS))
REPORT = ReportReleasedV1(
    report_id="r1",
    factory_id="f1",
    kind=ReportKind.ASSESSMENT,
    cycle=1,
    visit_id="v1",
    released_on="2026-03-10",
)
HOOK = {"id": "h1", "url": "https://buyer.example/hook"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path, webhook_loopback=True) as found:
        yield found


async def shared(running: Running) -> None:
    """The buyer is a partner, and a factory that has a report and a plan grants it everything."""
    await running.post("/api/v1/entitlements", ADMIN, {"id": "partner", "buyer_id": "b1"})
    assert (await running.post("/api/v1/grants", FACTORY, a_grant())).status_code == 201
    assert await running.deliver(REPORT, subject="r1") == Ack()
    assert await running.deliver(PLAN, subject="p1", sequence=2) == Ack()


async def changes(running: Running, **query: object) -> Any:
    answer = await running.get("/api/v1/changes", BUYER, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_buyer_is_told_all_that_it_may_see_and_then_what_changed(running: Running) -> None:
    await shared(running)
    first = await changes(running)
    told = [(item["kind"], item["document_id"]) for item in first["items"]]
    assert told == [("assessment", "r1"), ("improvement_plan", "p1"), ("progress", "p1")]
    assert (await changes(running, changed_since=first["changed_since"]))["items"] == []
    await running.deliver(PlanChangedV1(**{**_fields(PLAN), "kinds": (ReportKind.PROGRESS,)}), subject="p1", sequence=3)
    (item,) = (await changes(running, changed_since=first["changed_since"]))["items"]
    assert (item["kind"], item["is_withdrawn"]) == ("progress", False)


async def test_the_same_announcement_again_is_no_change(running: Running) -> None:
    await shared(running)
    first = await changes(running)
    await running.deliver(PLAN, subject="p1", sequence=2)
    assert (await changes(running, changed_since=first["changed_since"]))["items"] == []


async def test_what_was_revoked_is_withdrawn_and_says_nothing_more(running: Running) -> None:
    await shared(running)
    first = await changes(running)
    assert (await running.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))).status_code == 204
    items = (await changes(running, changed_since=first["changed_since"]))["items"]
    assert [item["is_withdrawn"] for item in items] == [True] * 3
    assert [item["changed_at"] for item in items] == [None] * 3


async def test_pages_hang_together_and_the_last_one_tells_the_point(running: Running) -> None:
    await shared(running)
    first = await changes(running, limit=2)
    assert (len(first["items"]), first["changed_since"]) == (2, None)
    last = await changes(running, limit=2, cursor=first["next_cursor"])
    assert [item["kind"] for item in last["items"]] == ["progress"]
    assert last["changed_since"]


@pytest.mark.parametrize(
    "point", ["nonsense", "W10", "ÿ", "WzEsWzEsMSwieCIsIjIwMjYtMDEtMDEiXV0", "WzIsWzAsMCwiIiwiMjAyNi0wMS0wMSJdXQ"]
)
async def test_a_point_of_another_making_is_refused(running: Running, point: str) -> None:
    answer = await running.get("/api/v1/changes", BUYER, params={"changed_since": point})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_changed_since")


async def test_only_a_buyer_has_a_feed(running: Running) -> None:
    for caller in (ADMIN, FACTORY):
        assert (await running.get("/api/v1/changes", caller)).status_code == 403


async def test_the_key_of_a_webhook_is_shown_once(running: Running) -> None:
    made = await running.post("/api/v1/webhooks", BUYER, HOOK)
    assert made.json()["key"].startswith("whsec_")
    assert made.headers["cache-control"] == "no-store"
    again = await running.post("/api/v1/webhooks", BUYER, HOOK)
    assert (again.status_code, again.json()["key"]) == (201, None)
    read = (await running.get("/api/v1/webhooks/h1", BUYER)).text
    assert made.json()["key"].removeprefix("whsec_") not in read
    rotated = (await running.post("/api/v1/webhooks/h1/secret", BUYER)).json()["key"]
    assert rotated.startswith("whsec_")
    assert rotated != made.json()["key"]


async def test_a_webhook_is_its_own_buyers_alone(running: Running) -> None:
    await running.post("/api/v1/webhooks", BUYER, HOOK)
    path = "/api/v1/webhooks/h1"
    assert (await running.get(path, OTHER_BUYER)).status_code == 404
    assert (await running.http.delete(path, headers=signed(OTHER_BUYER))).status_code == 404
    assert (await running.post(f"{path}/secret", OTHER_BUYER)).status_code == 404
    assert (await running.post(f"{path}/enabling", OTHER_BUYER)).status_code == 404
    assert (await running.post("/api/v1/webhooks", OTHER_BUYER, HOOK)).status_code == 409
    assert (await running.get("/api/v1/webhooks", OTHER_BUYER)).json()["items"] == []
    assert (await running.get(path, ADMIN)).status_code == 404


@pytest.mark.parametrize("url", ["http://buyer.example/hook", "https://10.0.0.1/hook", "https://a:b@buyer.example/"])
async def test_a_webhook_to_an_address_that_is_not_public_is_refused(running: Running, url: str) -> None:
    answer = await running.post("/api/v1/webhooks", BUYER, {"url": url})
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_address")


async def test_an_eleventh_webhook_is_refused(running: Running) -> None:
    for number in range(10):
        assert (await running.post("/api/v1/webhooks", BUYER, {**HOOK, "id": f"h{number}"})).status_code == 201
    refused = await running.post("/api/v1/webhooks", BUYER, {**HOOK, "id": "h10"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")


async def test_of_many_webhooks_that_are_registered_at_once_ten_are(running: Running) -> None:
    """Each has a place of its own, keeps it whatever becomes of it, and leaves it when it is removed."""
    paths = [f"h{number}" for number in range(14)]
    asking = (running.post("/api/v1/webhooks", BUYER, {**HOOK, "id": each}) for each in paths)
    made = [each for each in await asyncio.gather(*asking) if each.status_code == 201]
    assert len(made) == 10
    path = f"/api/v1/webhooks/{made[3].json()['webhook']['id']}"
    assert (await running.post(f"{path}/secret", BUYER)).status_code == 201
    assert (await running.post("/api/v1/webhooks", BUYER, {**HOOK, "id": "h20"})).status_code == 409
    assert (await running.http.delete(path, headers=signed(BUYER))).status_code == 204
    assert (await running.post("/api/v1/webhooks", BUYER, {**HOOK, "id": "h20"})).status_code == 201


async def test_a_buyer_sees_who_registered_a_webhook(running: Running) -> None:
    """A machine's token or a person: when that person leaves, the buyer knows which ones to look at."""
    leaver = a_principal(Role.BUYER, party_id="b1", subject="leaver")
    await running.post("/api/v1/webhooks", leaver, HOOK)
    await running.post("/api/v1/webhooks/h1/secret", BUYER)
    assert (await running.get("/api/v1/webhooks", BUYER)).json()["items"][0]["registered_by"] == "leaver"


async def test_a_running_service_delivers_by_itself_and_stops_at_a_revocation(running: Running) -> None:
    async with a_receiver() as receiver:
        await running.get("/internal/consent?gateway=gw&after=0", GATEWAY)
        await running.post("/api/v1/webhooks", BUYER, {"id": "h1", "url": receiver.url})
        await shared(running)
        await eventually(lambda: len(receiver.told("document.changed")) == 3, saying="three documents told")
        assert (await running.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))).status_code == 204
        told = len(receiver.told("document.changed"))
        await running.deliver(PlanChangedV1(**_fields(PLAN)), subject="p1", sequence=3)
        await eventually(lambda: len(receiver.told("sharing.ended")) == 3, saying="the end of sharing told")
        assert len(receiver.told("document.changed")) == told


def _fields(event: PlanChangedV1) -> Any:
    return {name: getattr(event, name) for name in event.__struct_fields__}
