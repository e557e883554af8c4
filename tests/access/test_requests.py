"""A buyer asks, the factory answers: what is accepted becomes one grant, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from contracts.access import GrantGivenV1
from contracts.identity import Principal, Role
from contracts.sharing import (
    AccessRequestAnsweredV1,
    AccessRequestedV1,
    AccessRequestWithdrawnV1,
)
from tests.access.asking import RANA, REQUESTS, TODAY, a_request, accept, ask, grants, told
from tests.access.parties import ADMIN, ADVISOR, BUYER, FACTORY, GATEWAY, OTHER_BUYER, OTHER_FACTORY, access
from tests.support.services import Running, a_principal


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("POST", REQUESTS, FACTORY, 403),
        ("POST", REQUESTS, ADMIN, 403),
        ("POST", f"{REQUESTS}/bulk", FACTORY, 403),
        ("GET", REQUESTS, ADVISOR, 403),
        ("GET", f"{REQUESTS}/r1", OTHER_BUYER, 404),
        ("GET", f"{REQUESTS}/r1", OTHER_FACTORY, 404),
        ("GET", f"{REQUESTS}/r1", GATEWAY, 404),
        ("POST", f"{REQUESTS}/r1/acceptance", BUYER, 404),
        ("POST", f"{REQUESTS}/r1/acceptance", OTHER_FACTORY, 404),
        ("POST", f"{REQUESTS}/r1/acceptance", ADMIN, 404),
        ("POST", f"{REQUESTS}/r1/refusal", OTHER_FACTORY, 404),
        ("POST", f"{REQUESTS}/r1/withdrawal", OTHER_BUYER, 404),
        ("POST", f"{REQUESTS}/r1/withdrawal", FACTORY, 404),
        ("POST", "/api/v1/access-request-answers", BUYER, 403),
    ],
)
async def test_who_may_not_is_refused(service: Running, method: str, path: str, caller: Principal, status: int) -> None:
    await ask(service)
    body = {**a_request("r2"), "approved_by": RANA, "reason": "No"}
    call = service.get(path, caller) if method == "GET" else service.post(path, caller, body)
    assert (await call).status_code == status


async def test_a_person_of_two_parties_roles_answers_for_no_other_factory(service: Running) -> None:
    await ask(service)
    both = a_principal(Role.BUYER, Role.FACTORY, Role.ADMINISTRATOR, party_id="b1")
    assert (await accept(service, caller=both)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"factory_id": "nowhere"}, 404),
        ({"factory_id": "b1"}, 404),
        ({"kinds": []}, 400),
        ({"kinds": ["assessment", "quality_productivity"]}, 400),
        ({"purpose": ""}, 400),
        ({"purpose": " \n"}, 400),
        ({"ends_on": "2020-01-01"}, 400),
        ({"message": "m" * 2001}, 400),
    ],
)
async def test_what_no_grant_could_say_is_not_asked(service: Running, fields: dict[str, object], status: int) -> None:
    assert (await service.post(REQUESTS, BUYER, a_request(**fields))).status_code == status  # type: ignore[arg-type]


async def test_an_accepted_request_is_a_grant_that_names_it(service: Running) -> None:
    await ask(service)
    answer = await accept(service)
    assert answer.status_code == 201
    (grant,) = await grants(service)
    told = answer.json()
    assert (told["status"], told["grant_id"]) == ("accepted", grant["id"])
    assert (grant["purpose"], grant["approved_by"], grant["request_id"]) == ("Sourcing for spring", RANA, "r1")
    answered_at = datetime.fromisoformat(told["answered_at"])
    assert grant["starts_on"] == answered_at.astimezone(ZoneInfo("Asia/Amman")).date().isoformat()
    (event,) = await service.until_announced(AccessRequestAnsweredV1)
    assert (event.is_accepted, event.grant_id) == (True, grant["id"])


async def test_less_than_was_asked_can_be_accepted(service: Running) -> None:
    end = (TODAY + timedelta(days=90)).isoformat()
    await ask(service, ends_on=(TODAY + timedelta(days=365)).isoformat())
    assert (await accept(service, kinds=["progress"], ends_on=end)).status_code == 201
    (grant,) = await grants(service)
    assert (grant["kinds"], grant["ends_on"]) == (["progress"], end)


@pytest.mark.parametrize(
    "fields",
    [
        {"kinds": ["assessment", "progress"]},
        {"kinds": ["quality_productivity"]},
        {"ends_on": (TODAY + timedelta(days=100)).isoformat()},
        {"starts_on": (TODAY + timedelta(days=1)).isoformat()},
    ],
)
async def test_more_than_was_asked_cannot_be_accepted(service: Running, fields: dict[str, object]) -> None:
    starts_on, ends_on = (TODAY + timedelta(days=days) for days in (5, 50))
    await ask(service, kinds=["assessment"], starts_on=starts_on.isoformat(), ends_on=ends_on.isoformat())
    refused = await accept(service, **fields)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["code"]) == (400, "wider_than_asked")
    assert await grants(service) == []
    assert (await accept(service)).status_code == 201


async def test_two_acceptances_at_once_give_one_grant(service: Running) -> None:
    await ask(service)
    answers = await asyncio.gather(*(accept(service) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(await grants(service)) == 1
    assert len(await told(service, AccessRequestAnsweredV1, 1)) == 1
    assert len(await told(service, GrantGivenV1, 1)) == 1


async def test_an_acceptance_against_a_refusal_has_one_winner(service: Running) -> None:
    for number in range(6):
        request_id = f"r{number}"
        await ask(service, request_id=request_id)
        refusal = service.post(f"{REQUESTS}/{request_id}/refusal", FACTORY, {"reason": "Not now"})
        accepted, refused = await asyncio.gather(accept(service, request_id), refusal)
        assert sorted([accepted.status_code, refused.status_code]) == [201, 409]
        found = (await service.get(f"{REQUESTS}/{request_id}", BUYER)).json()
        assert found["status"] == ("accepted" if accepted.status_code == 201 else "refused")
        held = {grant["request_id"] for grant in await grants(service)}
        assert (request_id in held) == (accepted.status_code == 201)


async def test_an_acceptance_with_other_content_does_not_replace_the_first(service: Running) -> None:
    await ask(service)
    await accept(service, kinds=["progress"])
    other = await accept(service, kinds=["assessment"])
    assert (other.status_code, other.json()["code"]) == (409, "request_over")


async def test_a_refusal_tells_the_buyer_why(service: Running) -> None:
    await ask(service)
    assert (await service.post(f"{REQUESTS}/r1/refusal", FACTORY, {"reason": "No orders"})).status_code == 201
    found = (await service.get(f"{REQUESTS}/r1", BUYER)).json()
    assert (found["status"], found["reason"], found["grant_id"]) == ("refused", "No orders", None)
    assert (await accept(service)).status_code == 409
    (event,) = await service.until_announced(AccessRequestAnsweredV1)
    assert not event.is_accepted


async def test_what_was_withdrawn_cannot_be_accepted(service: Running) -> None:
    await ask(service)
    assert (await service.post(f"{REQUESTS}/r1/withdrawal", BUYER)).status_code == 201
    assert (await accept(service)).json()["code"] == "request_over"
    await service.until_announced(AccessRequestWithdrawnV1)


async def test_of_a_buyer_and_a_factory_one_request_waits_at_a_time(service: Running) -> None:
    await ask(service)
    again = await service.post(REQUESTS, BUYER, a_request())
    other = await service.post(REQUESTS, BUYER, a_request("r2"))
    assert (again.status_code, other.status_code, other.json()["code"]) == (201, 409, "request_waits")
    await ask(service, request_id="r3", kinds=["quality_productivity"])
    await service.post(f"{REQUESTS}/r1/refusal", FACTORY, {"reason": "No"})
    await ask(service, request_id="r4")
    assert len(await told(service, AccessRequestedV1, 3)) == 3


async def test_the_id_of_another_buyers_request_tells_nothing(service: Running) -> None:
    await ask(service)
    answer = await service.post(REQUESTS, OTHER_BUYER, a_request())
    assert answer.status_code == 409
    assert "Sourcing" not in answer.text


async def test_many_are_asked_and_each_is_told_what_became_of_it(service: Running) -> None:
    body = {
        "requests": [a_request("r1"), a_request("r2", factory_id="nowhere"), a_request("r3", factory_id="f2")],
    }
    first = (await service.post(f"{REQUESTS}/bulk", BUYER, body)).json()["items"]
    assert [(item["id"], item["status"]) for item in first] == [("r1", 201), ("r2", 404), ("r3", 201)]
    assert (first[1]["problem"]["code"], first[0]["request"]["status"]) == ("not_found", "pending")
    again = (await service.post(f"{REQUESTS}/bulk", BUYER, body)).json()["items"]
    assert [item["status"] for item in again] == [201, 404, 201]
    assert len((await service.get(REQUESTS, BUYER)).json()["items"]) == 2


async def test_many_are_answered_and_each_is_told_what_became_of_it(service: Running) -> None:
    await ask(service)
    await service.post(REQUESTS, OTHER_BUYER, a_request("r2"))
    await service.post(REQUESTS, BUYER, a_request("foreign", factory_id="f2"))
    accepted = {"request_id": "r1", "decision": "accept", "approved_by": RANA}
    refused = {"request_id": "r2", "decision": "refuse", "reason": "Unknown to us"}
    foreign = {"request_id": "foreign", "decision": "accept", "approved_by": RANA}
    nameless = {"request_id": "r1", "decision": "accept"}
    unreasoned = {"request_id": "r2", "decision": "refuse"}
    body = {"answers": [accepted, refused, foreign, nameless, unreasoned]}
    for _ in range(2):
        items = (await service.post("/api/v1/access-request-answers", FACTORY, body)).json()["items"]
        assert [item["status"] for item in items] == [201, 201, 404, 400, 400]
        became = [item["request"] and item["request"]["status"] for item in items]
        assert became == ["accepted", "refused", None, None, None]
    assert len(await grants(service)) == 1
    empty = {"answers": [{"request_id": "r2", "decision": "refuse", "reason": ""}]}
    assert (await service.post("/api/v1/access-request-answers", FACTORY, empty)).status_code == 400


async def test_requests_are_listed_to_their_parties(service: Running) -> None:
    await ask(service)
    await service.post(REQUESTS, OTHER_BUYER, a_request("r2", factory_id="f2"))
    seen = {}
    for name, caller in {"admin": ADMIN, "f1": FACTORY, "f2": OTHER_FACTORY, "b1": BUYER, "b2": OTHER_BUYER}.items():
        seen[name] = sorted(item["id"] for item in (await service.get(REQUESTS, caller)).json()["items"])
    assert seen == {"admin": ["r1", "r2"], "f1": ["r1"], "f2": ["r2"], "b1": ["r1"], "b2": ["r2"]}
    page = (await service.get(f"{REQUESTS}?factory_id=f2&buyer_id=b2&limit=1", ADMIN)).json()
    assert [item["id"] for item in page["items"]] == ["r2"]
