"""A factory without the portal answers on paper what buyers ask: what it accepts is one grant with the digest."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.identity import Principal
from contracts.sharing import AccessRequestAnsweredV1
from tests.access.asking import REQUESTS, TODAY, accept, ask, grants, told
from tests.access.disclosed import notices
from tests.access.parties import ADVISOR, BUYER, FACTORY, access
from tests.access.scans import LEADER, PAPERS, PNG, RANA, upload
from tests.support.services import Running

END = (TODAY + timedelta(days=90)).isoformat()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access in which buyer b1 asked factory f1."""
    async with access(tmp_path) as running:
        await ask(running, kinds=["assessment", "progress"])
        yield running


async def scanned(service: Running, factory_id: str = "f1", content: bytes = PNG) -> Any:
    return (await upload(service, factory_id=factory_id, content=content)).json()


async def accept_on(service: Running, paper_id: str, **fields: object) -> httpx.Response:
    body = {"request_id": "r1", "buyer_id": "b1", "approved_by": RANA, **fields}
    return await service.post(f"{PAPERS}/{paper_id}/grant", LEADER, body)


async def refuse_on(service: Running, paper_id: str, caller: Principal = LEADER, **fields: object) -> httpx.Response:
    return await service.post(f"{PAPERS}/{paper_id}/refusal", caller, {"request_id": "r1", "reason": "No", **fields})


async def status(service: Running) -> str:
    found: str = (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"]
    return found


async def test_an_acceptance_on_paper_is_one_grant_with_the_digest_of_the_scan(service: Running) -> None:
    scan = await scanned(service)
    for _ in range(2):
        answer = await accept_on(service, scan["id"])
        assert answer.status_code == 201
    (grant,) = await grants(service)
    assert answer.json()["id"] == grant["id"]
    assert (grant["request_id"], grant["document_sha256"], grant["approved_by"]) == ("r1", scan["sha256"], RANA)
    assert (grant["purpose"], grant["kinds"]) == ("Sourcing for spring", ["assessment", "progress"])
    assert await status(service) == "accepted"
    assert [notice["kind"] for notice in await notices(service)] == ["consent_recorded"]
    (event,) = await told(service, AccessRequestAnsweredV1, 1)
    assert event.grant_id == grant["id"]


async def test_a_paper_accepts_less_than_was_asked_and_never_more(service: Running) -> None:
    scan = await scanned(service)
    wider = await accept_on(service, scan["id"], kinds=["assessment", "improvement_plan"])
    assert (wider.status_code, wider.json()["code"]) == (400, "wider_than_asked")
    assert (await accept_on(service, scan["id"], kinds=["progress"], ends_on=END)).status_code == 201
    (grant,) = await grants(service)
    assert (grant["kinds"], grant["ends_on"]) == (["progress"], END)


async def test_what_was_answered_is_not_answered_again_by_another_paper(service: Running) -> None:
    first, second = await scanned(service), await scanned(service, content=PNG + b"2")
    await accept_on(service, first["id"])
    answers = [await accept_on(service, second["id"]), await refuse_on(service, second["id"]), await accept(service)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "request_over")] * 3
    assert len(await grants(service)) == 1


async def test_a_refusal_on_paper_tells_the_buyer_why(service: Running) -> None:
    scan = await scanned(service)
    for _ in range(2):
        refused = await refuse_on(service, scan["id"], reason="No orders")
        assert (refused.status_code, refused.json()["status"]) == (201, "refused")
    found = (await service.get(f"{REQUESTS}/r1", BUYER)).json()
    assert (found["status"], found["reason"]) == ("refused", "No orders")
    assert (await accept_on(service, scan["id"])).status_code == 409
    assert await grants(service) == []


async def test_a_factory_is_told_of_a_refusal_that_the_programme_recorded_in_its_name(service: Running) -> None:
    await refuse_on(service, (await scanned(service))["id"], reason="No orders")
    (notice,) = await notices(service)
    assert (notice["kind"], notice["record_id"], notice["reason"]) == ("refusal_recorded", "r1", "No orders")
    assert (notice["buyer_id"], notice["kinds"]) == ("b1", ["assessment", "progress"])
    assert (await service.post(f"/api/v1/notices/{notice['id']}/reading", FACTORY)).status_code == 201
    assert [each["read_at"] is not None for each in await notices(service)] == [True]


async def test_of_what_it_refused_itself_a_factory_is_not_told(service: Running) -> None:
    assert (await service.post(f"{REQUESTS}/r1/refusal", FACTORY, {"reason": "No"})).status_code == 201
    assert await notices(service) == []


async def test_a_paper_answers_only_what_its_factory_was_asked_by_that_buyer(service: Running) -> None:
    own, foreign = await scanned(service), await scanned(service, factory_id="f2")
    answers = [
        await accept_on(service, foreign["id"]),
        await refuse_on(service, foreign["id"]),
        await accept_on(service, own["id"], buyer_id="b2"),
        await accept_on(service, own["id"], request_id="r9"),
        await refuse_on(service, own["id"], request_id="r9"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert await status(service) == "pending"


@pytest.mark.parametrize("caller", [ADVISOR, FACTORY, BUYER])
async def test_only_staff_with_the_permission_refuse_for_a_factory(service: Running, caller: Principal) -> None:
    assert (await refuse_on(service, (await scanned(service))["id"], caller)).status_code == 404
    assert await status(service) == "pending"


@pytest.mark.parametrize(
    "fields", [{"purpose": "Something else"}, {"agreement_id": "a1"}, {"approved_by": {"name": " "}}, {"kinds": []}]
)
async def test_an_acceptance_on_paper_is_of_what_was_asked(service: Running, fields: dict[str, object]) -> None:
    assert (await accept_on(service, (await scanned(service))["id"], **fields)).status_code == 400
    assert await status(service) == "pending"


async def test_a_grant_that_nobody_asked_for_says_what_it_is_for(service: Running) -> None:
    assert (await accept_on(service, (await scanned(service))["id"], request_id=None)).status_code == 400
