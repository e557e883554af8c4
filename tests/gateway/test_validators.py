"""A caller that holds a copy asks whether it is still good, and hears no more than that."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_following_gateway
from tests.support.eventually import eventually

BODY = b'{"name": "a report"}'
MARKS = [(b"star-factory", b"f1"), (b"star-kind", b"assessment")]


@pytest.fixture
def service() -> Scripted:
    return Scripted(body=BODY)


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1")


@pytest.fixture(params=["inprocess", "http"])
async def door(
    request: pytest.FixtureRequest, service: Scripted, consent: FedConsent, tmp_path: Path
) -> AsyncIterator[Door]:
    async with a_following_gateway(request.param, service, consent, tmp_path) as door:
        yield door


async def again(door: Door, tag: str, user: str = "admin", method: str = "GET") -> tuple[int, bytes]:
    got = await door.ask(method, "/api/v1/reports/r1", user, headers={"if-none-match": tag})
    return got.status, got.body


async def test_json_that_is_read_carries_a_strong_validator_and_may_be_kept(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", "admin")
    assert got.headers["etag"].startswith('"')
    assert got.headers["cache-control"] == "private, no-cache"
    assert {"accept", "accept-encoding", "authorization", "star-party"} <= set(got.headers["vary"].split(", "))


async def test_the_same_bytes_have_the_same_validator_and_other_bytes_another(door: Door, service: Scripted) -> None:
    first, second = [(await door.ask("GET", "/api/v1/reports/r1", "admin")).headers["etag"] for _ in range(2)]
    service.body = b'{"name": "another"}'
    assert first == second != (await door.ask("GET", "/api/v1/reports/r1", "admin")).headers["etag"]


async def test_a_copy_that_is_still_good_is_answered_without_a_body(door: Door) -> None:
    first = await door.ask("GET", "/api/v1/reports/r1", "admin")
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"if-none-match": first.headers["etag"]})
    assert (got.status, got.body, got.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-type" not in got.headers
    assert got.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("told", ["*", '"x", {}', "W/{}", ' W/{} ,"y"'])
async def test_validators_are_compared_weakly_and_in_lists(door: Door, told: str) -> None:
    tag = (await door.ask("GET", "/api/v1/reports/r1", "admin")).headers["etag"]
    assert await again(door, told.format(tag)) == (304, b"")


async def test_a_copy_that_is_no_longer_good_is_replaced(door: Door) -> None:
    assert await again(door, '"something else"') == (200, BODY)


async def test_a_service_s_own_validator_is_kept(door: Door, service: Scripted) -> None:
    service.headers = [(b"content-type", b"application/json"), (b"etag", b'"own"')]
    assert (await door.ask("GET", "/api/v1/reports/r1", "admin")).headers["etag"] == '"own"'
    assert service.seen[0].headers.get("if-none-match") is None


async def test_a_service_that_ignores_its_own_validator_does_not_send_it_all_again(
    door: Door, service: Scripted
) -> None:
    service.headers = [(b"content-type", b"application/json"), (b"etag", b'"own"')]
    assert await again(door, '"own"') == (304, b"")


async def test_a_service_hears_which_copy_the_caller_holds(door: Door, service: Scripted) -> None:
    await again(door, '"own"')
    assert service.seen[0].headers["if-none-match"] == '"own"'


async def test_head_tells_the_same_as_get_without_the_body(door: Door, service: Scripted) -> None:
    whole = await door.ask("GET", "/api/v1/reports/r1", "admin")
    got = await door.ask("HEAD", "/api/v1/reports/r1", "admin")
    differing = {"date", "trace-id"}
    assert {k: v for k, v in got.headers.items() if k not in differing} == {
        k: v for k, v in whole.headers.items() if k not in differing
    }
    assert got.body == b""
    assert [seen.method for seen in service.seen] == ["GET", "GET"]
    assert await again(door, whole.headers["etag"], method="HEAD") == (304, b"")


async def test_head_ends_a_download_that_it_does_not_want(door: Door, service: Scripted) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    service.chunks, service.headers = chunks, [(b"content-type", b"application/pdf")]
    async with asyncio.timeout(5):
        assert (await door.ask("HEAD", "/api/v1/reports/r1/file", "admin")).body == b""
    await eventually(lambda: service.cancelled or service.finished, saying="the download ends")


async def test_what_is_done_has_no_validator(door: Door) -> None:
    got = await door.ask("POST", "/api/v1/factories", "admin", json={}, headers={"if-none-match": "*"})
    assert (got.status, got.headers["cache-control"]) == (200, "no-store")
    assert "etag" not in got.headers


@pytest.mark.parametrize("status", [404, 409, 503])
async def test_a_refusal_has_no_validator(door: Door, service: Scripted, status: int) -> None:
    service.status = status
    got = await door.ask("GET", "/api/v1/reports/r1", "admin", headers={"if-none-match": "*"})
    assert (got.status, got.headers["cache-control"]) == (status, "no-store")


async def test_a_buyer_from_whom_it_was_withdrawn_is_not_told_that_its_copy_is_good(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.headers += MARKS
    tag = (await door.ask("GET", "/api/v1/reports/r1", "buyer")).headers["etag"]
    assert (await again(door, tag, "buyer"))[0] == 304
    consent.revoke("g1", "f1")
    await consent.heard()
    assert (await again(door, tag, "buyer"))[0] == 404


async def test_a_withdrawal_before_the_first_byte_also_stops_a_304(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.headers += MARKS
    tag = (await door.ask("GET", "/api/v1/reports/r1", "buyer")).headers["etag"]
    service.hold = asyncio.Event()
    asking = asyncio.create_task(again(door, tag, "buyer"))
    await eventually(lambda: len(service.seen) == 2, saying="the service has the request")
    consent.revoke("g1", "f1")
    await consent.heard()
    service.hold.set()
    assert (await asking)[0] == 404


async def test_json_that_is_too_long_for_memory_streams_without_a_validator(door: Door, service: Scripted) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'"'
        for _ in range(5):
            yield b"x" * 1024 * 1024
        yield b'"'

    service.chunks = chunks
    got = await door.ask("GET", "/api/v1/reports/r1", "admin")
    assert (got.status, len(got.body)) == (200, 5 * 1024 * 1024 + 2)
    assert "etag" not in got.headers


async def test_a_list_that_cannot_be_checked_whole_is_not_sent_to_a_buyer(door: Door, service: Scripted) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 1024 * 1024

    service.chunks = chunks
    got = await door.ask("GET", "/api/v1/reports", "buyer")
    assert (got.status, got.json()["code"]) == (400, "page_too_large")
