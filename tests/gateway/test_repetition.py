"""A POST that is sent again is answered again and done once, whatever got lost or died in between."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.access import EntryKind, member_digest
from gateway.inprocess import InProcessUpstream
from gateway.repetition import MOST_OF_ONE, _failed_for_nobody
from gateway.upstream import Incoming, Outgoing, UpstreamDown, UpstreamNotReached
from services.access.app import make_service
from services.access.domain.repetition import RUNS_AT_MOST
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Got, Scripted, a_gateway, split
from tests.journeys.routes import DOCUMENT
from tests.support.eventually import eventually
from tests.support.services import Running, running_service

FACTORIES, FINALISATION, RENEWAL = "/api/v1/factories", "/api/v1/visits/v1/finalisation", "/api/v1/agreements/a/renewal"
FACTORY = {"name": "Sewing", "industry": "C14", "time_zone": "Asia/Amman"}
MARKS = [(b"star-factory", b"f1"), (b"star-kind", b"assessment")]
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@dataclass
class Trouble(InProcessUpstream):
    """A service that is reached, with whatever the test lets happen before and after."""

    app: Any
    lost: Callable[[Outgoing], bool] = lambda _: False
    unreached: Callable[[Outgoing], bool] = lambda _: False
    hold: asyncio.Event | None = None
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.app)

    @contextlib.asynccontextmanager
    async def exchange(self, request: Outgoing) -> AsyncIterator[Incoming]:
        if self.unreached(request):
            raise UpstreamNotReached("not reached")
        if request.target.startswith("/api/"):
            self.seen.append(request.target)
            if self.hold is not None:
                await self.hold.wait()
        async with super().exchange(request) as answer:
            if self.lost(request):
                async for _ in answer.chunks:
                    pass
                raise UpstreamDown("the answer was lost")
            yield answer


@dataclass
class Stage:
    """Two gateways before one real access, and before one scripted service for everything else."""

    one: Door
    two: Door
    access: Running
    near: Trouble
    service: Scripted
    other: Trouble
    consent: FedConsent

    async def factories(self) -> list[Any]:
        items: list[Any] = (await self.two.ask("GET", FACTORIES, "admin")).json()["items"]
        return items


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    consent = FedConsent()
    consent.give("g1", "f1")
    service = Scripted(body=b'{"id": "x"}')
    async with running_service(make_service, tmp_path) as access:
        asked = split(access.service.app, RENEWAL, service)
        near, other = Trouble(asked), Trouble(service)
        upstreams = {**dict.fromkeys(("assessment", "remediation", "training", "reporting"), other), "access": near}
        untroubled = {**upstreams, "access": Trouble(asked)}
        async with (
            a_gateway(tmp_path / "1", upstreams, consent, document=DOCUMENT) as one,
            a_gateway(tmp_path / "2", untroubled, consent, document=DOCUMENT) as two,
        ):
            await consent.heard(gateways=2)
            yield Stage(one, two, access, near, service, other, consent)


async def post(door: Door, path: str = FACTORIES, body: object = FACTORY, user: str = "admin", key: str = KEY) -> Got:
    return await door.ask("POST", path, user, json=body, headers={"idempotency-key": key})


def code(got: Got) -> tuple[int, str]:
    return got.status, got.json()["code"]


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


async def test_who_is_not_yet_of_the_staff_may_ask_again_when_it_is(stage: Stage) -> None:
    stage.consent._add(EntryKind.MEMBER_ADMITTED, "m1", "", "b1", member=member_digest("b1", "another"))
    await stage.consent.heard(gateways=2)
    assert code(await post(stage.one, FINALISATION, {}, "buyer")) == (403, "not_a_member")
    stage.consent._add(EntryKind.MEMBER_ADMITTED, "m2", "", "b1", member=member_digest("b1", "buyer"))
    await stage.consent.heard(gateways=2)
    stage.service.status, stage.service.body = 201, b'{"factory_id": "f1"}'
    assert (await post(stage.two, FINALISATION, {}, "buyer")).status == 201
    assert len(stage.service.seen) == 1


async def test_what_a_service_did_not_believe_is_done_by_the_repetition(stage: Stage) -> None:
    stage.service.status = 401
    assert code(await post(stage.one, FINALISATION, {})) == (503, "service_not_available")
    stage.service.status = 200
    assert (await post(stage.two, FINALISATION, {})).status == 200


async def test_what_one_caller_has_running_is_bounded_and_holds_up_nobody_else(stage: Stage) -> None:
    stage.other.hold = asyncio.Event()
    asked = [asyncio.create_task(post(stage.one, FINALISATION, {}, key=f"k{n}")) for n in range(MOST_OF_ONE)]
    await eventually(lambda: len(stage.other.seen) == MOST_OF_ONE, saying="all of them are being done")
    got = await post(stage.one, FINALISATION, {})
    assert (code(got), got.headers["retry-after"]) == ((429, "too_many_at_once"), "2")
    another = asyncio.create_task(post(stage.one, FINALISATION, {}, "factory"))
    await eventually(lambda: len(stage.other.seen) == MOST_OF_ONE + 1, saying="another caller's is being done")
    stage.other.hold.set()
    assert {each.status for each in await asyncio.gather(*asked, another)} == {200}
    assert (await post(stage.one, FINALISATION, {})).status == 200


async def test_what_fails_after_its_caller_has_left_is_told_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.other.hold, stage.other.lost = asyncio.Event(), lambda _: True
    first = asyncio.create_task(post(stage.one, FINALISATION, {}))
    await eventually(lambda: stage.other.seen, saying="the first one is being done")
    (work,) = stage.one.gateway._repetitions._working
    first.cancel()
    await eventually(lambda: _failed_for_nobody in dict(work._callbacks), saying="its caller has left")
    stage.other.hold.set()
    await eventually(work.done, saying="the work is done")
    assert not work._log_traceback
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == [
        "a request whose caller has left was not done"
    ]


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


async def test_what_never_reached_its_service_is_done_by_the_repetition(stage: Stage) -> None:
    stage.other.unreached = lambda _: True
    assert code(await post(stage.one, FINALISATION, {})) == (503, "service_not_available")
    stage.other.unreached = lambda _: False
    assert (await post(stage.two, FINALISATION, {})).status == 200
    assert len(stage.service.seen) == 1


async def test_what_cannot_be_claimed_is_not_done(stage: Stage) -> None:
    stage.near.unreached = lambda request: request.target.startswith("/internal/")
    assert code(await post(stage.one, FINALISATION, {})) == (503, "service_not_available")
    assert stage.service.seen == []


async def test_a_caller_who_leaves_finds_the_answer_when_it_comes_back(stage: Stage) -> None:
    stage.near.hold = asyncio.Event()
    first = asyncio.create_task(post(stage.one))
    await eventually(lambda: stage.near.seen, saying="the first one is being done")
    first.cancel()
    await asyncio.sleep(0.1)
    stage.near.hold.set()
    await eventually(lambda: not stage.one.gateway._repetitions._working, saying="the work is done")
    second = await post(stage.one)
    assert (second.status, second.headers["idempotency-replayed"]) == (201, "true")


@pytest.mark.parametrize("status", [400, 404, 409])
async def test_a_refusal_is_the_answer_too(stage: Stage, status: int) -> None:
    stage.service.status = status
    await post(stage.one, FINALISATION, {})
    stage.service.status = 200
    assert (await post(stage.two, FINALISATION, {})).status == status
    assert len(stage.service.seen) == 1


async def test_a_service_s_own_failure_is_not_an_answer(stage: Stage) -> None:
    stage.service.status = 503
    assert (await post(stage.one, "/api/v1/visits", {})).status == 503
    stage.service.status = 201
    assert (await post(stage.one, "/api/v1/visits", {})).status == 201
    ids = [msgspec.json.decode(seen.body)["id"] for seen in stage.service.seen]
    assert ids[0] == ids[1]


async def test_a_secret_that_is_shown_once_is_not_kept(stage: Stage) -> None:
    stage.service.headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    assert (await post(stage.one, FINALISATION)).status == 200
    assert code(await post(stage.two, FINALISATION)) == (409, "fate_unknown")


async def test_without_a_key_nothing_changes(stage: Stage) -> None:
    await stage.one.ask("POST", FINALISATION, "admin", json={"a": 1})
    await stage.one.ask("POST", FINALISATION, "admin", json={"a": 1})
    assert [seen.body for seen in stage.service.seen] == [b'{"a": 1}'] * 2


@pytest.mark.parametrize("body", [b'{"\xff":1}', b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", b"[1]", b"{", b""])
async def test_a_body_that_cannot_be_read_is_refused_by_its_service(stage: Stage, body: bytes) -> None:
    headers = {"idempotency-key": KEY, "content-type": "application/json"}
    got = await stage.one.ask("POST", FACTORIES, "admin", headers=headers, data=body)
    assert code(got) == (400, "malformed")
    assert await stage.factories() == []


@pytest.mark.parametrize("key", ["", '""', "a b", "é", "x" * 256, '"a"b"', "a,b"])
async def test_what_is_no_key_is_refused(stage: Stage, key: str) -> None:
    assert code(await post(stage.one, FINALISATION, {}, key=key)) == (400, "malformed")
    assert stage.service.seen == []


async def test_a_body_that_is_too_long_for_memory_is_refused(stage: Stage) -> None:
    long = io.BytesIO(b"x" * 3_000_000)
    got = await stage.one.ask("POST", FINALISATION, "admin", data=long, headers={"idempotency-key": KEY})
    assert code(got) == (413, "too_large")
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
