"""What a manufacturing group gets through the gateway hangs on its factories and the lease until the last byte."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from contracts.identity import Role
from contracts.reads import Act
from contracts.vocabulary import ReportKind
from gateway.dev_issuer import DevUser
from gateway.recording import ReadNotRecorded
from services.runtime.identity import Verifier, verify_key_of
from tests.gateway.feed import FedConsent, KeptReads
from tests.gateway.running import USERS, Door, Scripted, a_following_gateway
from tests.support.eventually import eventually
from tests.support.services import SIGNING_KEY

REPORT = [(b"star-factory", b"f1"), (b"star-kind", b"assessment"), (b"content-type", b"application/pdf")]
LIST, EMPTY = [(b"content-type", b"application/json")], b'{"items":[],"next_cursor":null}'
PEOPLE = (
    *USERS,
    DevUser("other", "Another group", frozenset({Role.GROUP}), "g2"),
    DevUser("studies", "A group's user who is an analyst as well", frozenset({Role.GROUP, Role.ANALYST}), "g1"),
    DevUser("namesake", "A buyer of the same id as the group", frozenset({Role.BUYER}), "g1"),
)


@pytest.fixture
def service() -> Scripted:
    return Scripted(headers=list(REPORT), body=b"the report")


@pytest.fixture
def consent() -> FedConsent:
    fed = FedConsent()
    fed.join("f1")
    fed.join("f2")
    fed.join("f9", "g2")
    return fed


@pytest.fixture
def reads() -> KeptReads:
    return KeptReads()


@pytest.fixture
async def door(service: Scripted, consent: FedConsent, reads: KeptReads, tmp_path: Path) -> AsyncIterator[Door]:
    more = {"dev_users": PEOPLE, "read_sink": reads}
    async with a_following_gateway("http", service, consent, tmp_path, **more) as door:
        yield door


def told(service: Scripted) -> frozenset[str]:
    """The factories that the service heard of last, of somebody with whom nothing is shared."""
    principal = Verifier(verify_key_of(SIGNING_KEY)).principal(service.seen[-1].headers["authorization"])
    assert principal.shares == {}
    return principal.factories


async def status(door: Door, user: str = "group", path: str = "/api/v1/reports/r1") -> int:
    return (await door.ask("GET", path, user)).status


async def held(door: Door, service: Scripted, path: str) -> "asyncio.Task[int]":
    """A read of the group that the service has and does not answer."""
    service.hold = asyncio.Event()
    asking = asyncio.create_task(status(door, path=path))
    await eventually(lambda: service.seen, saying="the service has the request")
    return asking


async def test_a_group_reads_a_report_of_its_factory(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", "group")
    assert (got.status, got.body) == (200, b"the report")


async def test_the_service_hears_which_factories_the_group_has(door: Door, service: Scripted) -> None:
    await status(door)
    assert told(service) == {"f1", "f2"}
    await status(door, "other")
    assert told(service) == {"f9"}


async def test_a_factory_that_left_is_not_told_to_a_service_again(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.headers, service.body = LIST, EMPTY
    assert await status(door, path="/api/v1/reports") == 200
    consent.leave("f2")
    consent.join("f3")
    await consent.heard()
    assert await status(door, path="/api/v1/reports") == 200
    assert told(service) == {"f1", "f3"}


@pytest.mark.parametrize("user", ["other", "namesake"])
async def test_what_a_service_gives_out_by_mistake_stays_here(door: Door, user: str) -> None:
    assert await status(door, user) == 404


async def test_who_is_an_analyst_as_well_sees_no_more_than_the_group(door: Door, service: Scripted) -> None:
    service.headers = [(b"star-factory", b"f9"), *REPORT[1:]]
    assert await status(door, "studies") == 404
    assert told(service) == {"f1", "f2"}


async def test_without_a_lease_a_group_is_told_to_come_back(door: Door, service: Scripted, consent: FedConsent) -> None:
    await door.no_lease(consent)
    got = await door.ask("GET", "/api/v1/reports/r1", "group")
    assert (got.status, got.json()["code"]) == (503, "consent_unknown")
    assert service.seen == []


async def test_a_factory_that_leaves_before_the_first_byte_is_heeded(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    asking = await held(door, service, "/api/v1/reports/r1")
    consent.leave("f1")
    await consent.heard()
    service.hold.set()  # type: ignore[union-attr]
    assert await asking == 404


async def test_a_list_that_was_made_before_a_factory_left_is_not_sent(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.headers, service.body = LIST, EMPTY
    asking = await held(door, service, "/api/v1/reports")
    consent.leave("f2")
    await consent.heard()
    service.hold.set()  # type: ignore[union-attr]
    assert await asking == 503


async def test_an_answer_outlives_what_else_is_written_meanwhile(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.headers, service.body = LIST, EMPTY
    asking = await held(door, service, "/api/v1/reports")
    consent.join("f3")
    consent.leave("f9", "g2")
    await consent.heard()
    service.hold.set()  # type: ignore[union-attr]
    assert await asking == 200


async def test_a_download_is_cut_when_its_factory_leaves(door: Door, service: Scripted, consent: FedConsent) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0.01)

    service.chunks = chunks
    headers = {"authorization": f"Bearer {await door.token('group')}"}
    answer = await door.http.get(f"{door.url}/api/v1/reports/r1/file", headers=headers)
    await answer.content.readany()
    consent.leave("f1")
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(2):
            await answer.content.read()
    answer.close()


async def test_what_a_group_reads_is_on_the_record_of_its_factory(door: Door, reads: KeptReads) -> None:
    assert await status(door) == 200
    (read,) = reads.reads
    assert (read.group_id, read.buyer_id, read.subject, read.grounds) == ("g1", "", "group", ())
    assert (read.factory_id, read.kinds, read.route) == ("f1", (ReportKind.ASSESSMENT,), "/api/v1/reports/{report_id}")


async def test_a_list_of_a_group_is_on_record_and_holds_nothing_of_another_factory(
    door: Door, service: Scripted, reads: KeptReads
) -> None:
    item = {"id": "r1", "factory_id": "f1", "cycle": 3, "kind": "assessment"}
    service.headers, service.body = LIST, msgspec.json.encode({"items": [item], "next_cursor": None})
    assert await status(door, path="/api/v1/reports") == 200
    assert [(read.act, read.group_id, read.factory_id) for read in reads.reads] == [(Act.LISTED, "g1", "f1")]
    assert await status(door, "other", "/api/v1/reports") == 503


async def test_what_a_group_reads_and_cannot_be_put_on_record_is_not_shown(door: Door, reads: KeptReads) -> None:
    reads.failure = ReadNotRecorded("the disk is full")
    assert await status(door) == 503


async def test_two_thousand_factories_fit_into_the_principal(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    ids = {f"01932f3e-0000-7000-8000-{number:012d}" for number in range(2_000)}
    for factory_id in ids:
        consent.join(factory_id)
    await consent.heard()
    service.headers, service.body = LIST, EMPTY
    assert await status(door, path="/api/v1/reports") == 200
    assert told(service) == {*ids, "f1", "f2"}
