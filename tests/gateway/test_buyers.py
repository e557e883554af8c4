"""What a buyer gets through the gateway hangs on consent and the lease until the last byte."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from contracts.identity import Principal, Shared
from contracts.vocabulary import ReportKind
from services.runtime.identity import Verifier, verify_key_of
from tests.gateway.feed import LEASE_S, FedConsent
from tests.gateway.running import Door, Scripted, a_following_gateway
from tests.support.eventually import eventually
from tests.support.services import SIGNING_KEY

REPORT = [(b"star-factory", b"f1"), (b"star-kind", b"assessment"), (b"content-type", b"application/pdf")]

LIST, EMPTY = [(b"content-type", b"application/json")], b'{"items":[],"next_cursor":null}'


@pytest.fixture
def service() -> Scripted:
    return Scripted(headers=list(REPORT), body=b"the report")


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1")


@pytest.fixture(params=["inprocess", "http"])
async def door(
    request: pytest.FixtureRequest, service: Scripted, consent: FedConsent, tmp_path: Path
) -> AsyncIterator[Door]:
    async with a_following_gateway(request.param, service, consent, tmp_path) as door:
        yield door


def principal_of(service: Scripted) -> Principal:
    return Verifier(verify_key_of(SIGNING_KEY)).principal(service.seen[-1].headers["authorization"])


async def test_a_buyer_reads_a_shared_report_at_an_epoch(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/reports/r1", "buyer")
    assert (got.status, got.body) == (200, b"the report")
    assert got.headers["star-epoch"] == "2"


async def test_the_service_hears_what_is_shared_with_the_buyer(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    consent.give("g2", "f2", "b1", ReportKind.IMPROVEMENT_PLAN)
    consent.give("g3", "f3", "b2")
    await consent.heard()
    service.headers, service.body = LIST, EMPTY
    await door.ask("GET", "/api/v1/reports", "buyer")
    assert principal_of(service).shares == {
        ReportKind.ASSESSMENT: Shared(frozenset({"f1"})),
        ReportKind.IMPROVEMENT_PLAN: Shared(frozenset({"f1", "f2"})),
        ReportKind.PROGRESS: Shared(frozenset({"f1"})),
        ReportKind.QUALITY_PRODUCTIVITY: Shared(frozenset({"f1"})),
    }


async def test_what_a_service_gives_out_by_mistake_stays_here(door: Door, service: Scripted) -> None:
    service.headers = [(b"star-factory", b"f2"), (b"star-kind", b"assessment")]
    got = await door.ask("GET", "/api/v1/reports/r2", "buyer")
    assert (got.status, got.json()["code"]) == (404, "not_found")


async def test_without_a_lease_a_buyer_is_told_to_come_back(door: Door, service: Scripted, consent: FedConsent) -> None:
    await door.no_lease(consent)
    got = await door.ask("GET", "/api/v1/reports/r1", "buyer")
    assert (got.status, got.json()["code"], got.headers["retry-after"]) == (503, "consent_unknown", "2")
    assert service.seen == []


@pytest.mark.parametrize("user", ["admin", "factory"])
async def test_staff_and_factories_need_no_lease(door: Door, consent: FedConsent, user: str) -> None:
    await door.no_lease(consent)
    assert (await door.ask("GET", "/api/v1/reports/r1", user)).status == 200


async def test_a_lease_comes_back_with_access(door: Door, consent: FedConsent) -> None:
    await door.no_lease(consent)
    consent.is_answering = True

    async def is_served() -> bool:
        return (await door.ask("GET", "/api/v1/reports/r1", "buyer")).status == 200

    await eventually(is_served, saying="the buyer is served again")


async def test_a_revocation_between_the_decision_and_the_first_byte_is_heeded(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.hold = asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", "/api/v1/reports/r1", "buyer"))
    await eventually(lambda: service.seen, saying="the service has the request")
    consent.revoke("g1", "f1")
    await consent.heard()
    service.hold.set()
    got = await asking
    assert got.status == 404
    assert b"the report" not in got.body


async def test_a_list_that_was_made_before_a_revocation_is_not_sent(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.headers, service.body, service.hold = LIST, EMPTY, asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", "/api/v1/reports", "buyer"))
    await eventually(lambda: service.seen, saying="the service has the request")
    consent.revoke("g1", "f1")
    await consent.heard()
    service.hold.set()
    got = await asking
    assert (got.status, got.json()["code"]) == (503, "consent_changed")


async def test_a_list_outlives_what_is_granted_meanwhile(door: Door, service: Scripted, consent: FedConsent) -> None:
    service.headers, service.body, service.hold = LIST, EMPTY, asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", "/api/v1/reports", "buyer"))
    await eventually(lambda: service.seen, saying="the service has the request")
    consent.give("g2", "f2")
    await consent.heard()
    service.hold.set()
    assert (await asking).status == 200


async def test_a_lease_that_ran_out_before_the_first_byte_sends_nothing(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    service.hold = asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", "/api/v1/reports/r1", "buyer"))
    await eventually(lambda: service.seen, saying="the service has the request")
    await door.no_lease(consent)
    service.hold.set()
    got = await asking
    assert got.status == 503
    assert b"the report" not in got.body


class Download:
    """A download in small pieces, until it is told to end."""

    def __init__(self, service: Scripted) -> None:
        self.is_over = False
        self.made = 0
        service.chunks = self.chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self.is_over:
            self.made += 1
            yield b"x" * 1000
            await asyncio.sleep(0.01)


async def begin(door: Door) -> aiohttp.ClientResponse:
    headers = {"authorization": f"Bearer {await door.token('buyer')}"}
    answer = await door.http.get(f"{door.url}/api/v1/reports/r1/file", headers=headers)
    await answer.content.readany()
    return answer


async def test_a_download_is_cut_by_a_revocation(door: Door, service: Scripted, consent: FedConsent) -> None:
    Download(service)
    answer = await begin(door)
    consent.revoke("g1", "f1")
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(2):
            await answer.content.read()
    answer.close()


async def test_a_download_is_cut_when_the_lease_runs_out(door: Door, service: Scripted, consent: FedConsent) -> None:
    Download(service)
    answer = await begin(door)
    consent.is_answering = False
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(LEASE_S + 2):
            await answer.content.read()
    answer.close()


async def test_a_download_goes_on_while_the_lease_is_renewed(door: Door, service: Scripted) -> None:
    download = Download(service)
    answer = await begin(door)
    await asyncio.sleep(2 * LEASE_S)
    download.is_over = True
    assert len(await answer.content.read()) >= 1000
    answer.close()


async def test_a_download_that_its_reader_holds_up_has_stopped_before_the_gateway_acknowledges(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield b"x" * 262_144

    service.chunks = chunks
    answer = await begin(door)  # and reads no further, so that a chunk waits in the gateway
    replica = door.gateway.app._proxy._replica

    async def is_stuck() -> bool:
        (guard,) = replica._guards
        sending = guard._sending
        await asyncio.sleep(0.1)
        return sending is not None and sending is guard._sending and not sending.done()

    await eventually(is_stuck, saying="a chunk waits for its reader")
    (guard,) = replica._guards
    consent.revoke("g1", "f1")
    await consent.heard()
    assert guard._sending is not None
    assert guard._sending.done()
    answer.close()


async def test_five_thousand_factories_fit_into_the_principal(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(5_000)]
    for number, factory_id in enumerate(ids):
        consent.give(f"many{number}", factory_id)
    await consent.heard()

    async def is_shown() -> bool:  # reading so much of the ledger may have taken the whole lease
        return (await door.ask("GET", "/api/v1/reports/r1", "buyer")).status == 200

    await eventually(is_shown, saying="the report is shown")
    assert principal_of(service).shares[ReportKind.ASSESSMENT].every == frozenset({*ids, "f1"})


async def test_another_ledger_is_read_from_the_start(door: Door, service: Scripted, consent: FedConsent) -> None:
    del consent.entries[1:]  # a backup was restored, and something else was granted
    consent.give("g9", "f9")
    consent.entries[-1] = msgspec.structs.replace(consent.entries[-1], hash="f" * 64)

    async def is_the_other() -> bool:
        await door.ask("GET", "/api/v1/reports", "buyer")
        return bool(service.seen) and principal_of(service).shares[ReportKind.ASSESSMENT].every == frozenset({"f9"})

    service.headers, service.body = LIST, EMPTY
    await eventually(is_the_other, saying="the gateway follows the other ledger")
