"""What may be sent again with its key, and what goes on without its caller, when a request was not done."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from contracts.access import EntryKind, member_digest
from gateway.repetition import MOST_OF_ONE, _failed_for_nobody
from tests.gateway.repeating import FACTORIES, FINALISATION, KEY, RENEWAL, Stage, a_stage, code, post
from tests.support.eventually import eventually


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as found:
        yield found


async def test_who_is_not_yet_of_the_staff_may_ask_again_when_it_is(stage: Stage) -> None:
    stage.consent._add(EntryKind.MEMBER_ADMITTED, "m1", "", "b1", member=member_digest("b1", "another"))
    await stage.consent.heard(gateways=2)
    assert code(await post(stage.one, RENEWAL, {}, "buyer")) == (403, "not_a_member")
    stage.consent._add(EntryKind.MEMBER_ADMITTED, "m2", "", "b1", member=member_digest("b1", "buyer"))
    await stage.consent.heard(gateways=2)
    stage.service.status, stage.service.body = 201, b'{"factory_id": "f1"}'
    assert (await post(stage.two, RENEWAL, {}, "buyer")).status == 201
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


async def test_a_service_s_own_failure_is_not_an_answer(stage: Stage) -> None:
    stage.service.status = 503
    assert (await post(stage.one, "/api/v1/visits", {})).status == 503
    stage.service.status = 201
    assert (await post(stage.one, "/api/v1/visits", {})).status == 201
    ids = [msgspec.json.decode(seen.body)["id"] for seen in stage.service.seen]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("body", [b'{"\xff":1}', b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", b"[1]", b"{", b""])
async def test_a_body_that_cannot_be_read_is_refused_by_its_service(stage: Stage, body: bytes) -> None:
    headers = {"idempotency-key": KEY, "content-type": "application/json"}
    got = await stage.one.ask("POST", FACTORIES, "admin", headers=headers, data=body)
    assert code(got) == (400, "malformed")
    assert await stage.factories() == []


async def test_a_body_that_is_too_long_for_memory_is_refused(stage: Stage) -> None:
    long = io.BytesIO(b"x" * 3_000_000)
    got = await stage.one.ask("POST", FINALISATION, "admin", data=long, headers={"idempotency-key": KEY})
    assert code(got) == (413, "too_large")
    assert stage.service.seen == []
