"""A POST that is sent again is answered again and done once, whatever got lost or died in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from services.access.domain.repetition import RUNS_AT_MOST
from tests.gateway.repeating import FACTORIES, FACTORY, FINALISATION, KEY, MARKS, RENEWAL, Stage, a_stage, code, post
from tests.support.eventually import eventually
from tests.support.services import Running


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as found:
        yield found


async def test_a_repetition_gets_the_first_answer_and_makes_nothing(stage: Stage) -> None:
    first, second = await post(stage.one), await post(stage.one)
    assert (first.status, second.status) == (201, 201)
    assert first.body == second.body
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (False, "true")
    assert len(await stage.factories()) == 1


async def test_another_gateway_gives_the_same_answer(stage: Stage) -> None:
    first, second = await post(stage.one), await post(stage.two)
    assert first.body == second.body
    assert len(await stage.factories()) == 1


async def test_a_quoted_key_is_the_same_key(stage: Stage) -> None:
    await post(stage.one)
    assert (await post(stage.one, key=f'"{KEY}"')).headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "body"),
    [(FACTORIES, {**FACTORY, "name": "Other"}), (f"{FACTORIES}?x=1", FACTORY), ("/api/v1/buyers", FACTORY)],
)
async def test_a_key_is_not_for_another_request(stage: Stage, path: str, body: object) -> None:
    await post(stage.one)
    assert code(await post(stage.two, path, body)) == (422, "idempotency_key_reused")
    assert len(await stage.factories()) == 1


async def test_a_key_is_its_caller_s(stage: Stage) -> None:
    await post(stage.one)
    assert (await post(stage.one, user="factory")).status == 403


async def test_another_key_is_another_request(stage: Stage) -> None:
    first, second = await post(stage.one), await post(stage.one, key="another")
    assert first.json()["id"] != second.json()["id"]


async def test_the_caller_s_own_id_is_kept(stage: Stage) -> None:
    assert (await post(stage.one, body={**FACTORY, "id": "mine"})).json()["id"] == "mine"


async def test_while_it_is_being_done_a_repetition_waits(stage: Stage) -> None:
    stage.near.hold = asyncio.Event()
    first = asyncio.create_task(post(stage.one))
    await eventually(lambda: stage.near.seen, saying="the first one is being done")
    got = await post(stage.two)
    assert (code(got), got.headers["retry-after"]) == ((409, "request_running"), "2")
    stage.near.hold.set()
    assert (await first).status == 201
    assert (await post(stage.two)).body == (await first).body


async def test_of_many_at_once_one_is_done(stage: Stage) -> None:
    got = await asyncio.gather(*(post(door) for door in (stage.one, stage.two) for _ in range(10)))
    assert {each.status for each in got} <= {201, 409}
    assert len({each.body for each in got if each.status == 201}) == 1
    assert len(await stage.factories()) == 1


async def test_when_the_answer_is_lost_the_repetition_makes_nothing_else(stage: Stage) -> None:
    stage.near.lost = lambda request: request.target == FACTORIES
    assert code(await post(stage.one)) == (503, "service_not_available")
    assert len(await stage.factories()) == 1
    second = await post(stage.two)
    assert second.status == 201
    assert await stage.factories() == [second.json()]


async def later(access: Running) -> None:
    """Let the time of an attempt run out since the claim."""
    claims = access.service.ports.documents.collection("repetitions")
    (document,) = (await claims.find()).documents
    version, claimed_at = document["version"], document["state"]["claimed_at"]
    document["state"]["claimed_at"] = (msgspec.convert(claimed_at, datetime, strict=False) - RUNS_AT_MOST).isoformat()
    document["version"] = version + 1
    assert await claims.replace(document, if_version=version)


async def test_a_gateway_that_dies_before_the_record_leaves_nothing_that_is_done_twice(stage: Stage) -> None:
    stage.near.unreached = lambda request: request.method == "PUT"
    first = await post(stage.one)
    assert first.status == 201
    assert code(await post(stage.two)) == (409, "request_running")
    await later(stage.access)
    second = await post(stage.two)
    assert (second.status, second.json()["id"]) == (201, first.json()["id"])
    assert len(await stage.factories()) == 1


async def test_what_cannot_be_named_is_not_done_again_when_its_answer_is_lost(stage: Stage) -> None:
    stage.other.lost = lambda _: True
    assert code(await post(stage.one, FINALISATION, {})) == (503, "service_not_available")
    stage.other.lost = lambda _: False
    assert code(await post(stage.two, FINALISATION, {})) == (409, "fate_unknown")
    assert len(stage.service.seen) == 1


async def test_what_cannot_be_named_is_not_done_again_when_its_gateway_died(stage: Stage) -> None:
    stage.near.unreached = lambda request: request.method == "PUT"
    assert (await post(stage.one, FINALISATION, {})).status == 200
    await later(stage.access)
    assert code(await post(stage.two, FINALISATION, {})) == (409, "fate_unknown")
    assert len(stage.service.seen) == 1


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_refusal_is_the_answer_too(stage: Stage, status: int) -> None:
    stage.service.status = status
    await post(stage.one, FINALISATION, {})
    stage.service.status = 200
    assert (await post(stage.two, FINALISATION, {})).status == status
    assert len(stage.service.seen) == 1


async def test_a_secret_that_is_shown_once_is_not_kept(stage: Stage) -> None:
    stage.service.headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    assert (await post(stage.one, FINALISATION)).status == 200
    assert code(await post(stage.two, FINALISATION)) == (409, "fate_unknown")


async def test_without_a_key_nothing_changes(stage: Stage) -> None:
    await stage.one.ask("POST", FINALISATION, "admin", json={"a": 1})
    await stage.one.ask("POST", FINALISATION, "admin", json={"a": 1})
    assert [seen.body for seen in stage.service.seen] == [b'{"a": 1}'] * 2


@pytest.mark.parametrize("key", ["", '""', "a b", "é", "x" * 256, '"a"b"', "a,b"])
async def test_what_is_no_key_is_refused(stage: Stage, key: str) -> None:
    assert code(await post(stage.one, FINALISATION, {}, key=key)) == (400, "malformed")
    assert stage.service.seen == []


async def test_who_has_no_token_claims_nothing(stage: Stage) -> None:
    got = await stage.one.ask("POST", FINALISATION, json={}, headers={"idempotency-key": KEY})
    assert got.status == 401
    assert (await post(stage.one, FINALISATION, {})).status == 200


@pytest.mark.parametrize(("user", "marks"), [("buyer", MARKS), ("buyer", []), ("group", [])])
async def test_what_was_withdrawn_is_not_repeated(stage: Stage, user: str, marks: list[tuple[bytes, bytes]]) -> None:
    stage.consent.join("f1")
    await stage.consent.heard(gateways=2)
    stage.service.headers += marks
    stage.service.status, stage.service.body = 201, b'{"factory_id": "f1", "text": "a finding"}'
    assert (await post(stage.one, RENEWAL, {}, user)).status == 201
    assert (await post(stage.one, RENEWAL, {}, user)).headers["idempotency-replayed"] == "true"
    stage.consent.revoke("g1", "f1")
    stage.consent.leave("f1")
    await stage.consent.heard(gateways=2)
    for door in (stage.one, stage.two):
        got = await post(door, RENEWAL, {}, user)
        assert code(got) == (404, "not_found")
        assert b"a finding" not in got.body
    assert len(stage.service.seen) == 1
