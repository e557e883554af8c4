"""What a buyer is shown is on record before the first byte of it leaves, and nothing leaves that is not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.reads import Act, Read
from contracts.vocabulary import ReportKind
from gateway.inprocess import InProcessUpstream
from gateway.replica import Replica
from gateway.upstream import HttpUpstream
from tests.gateway.feed import FedConsent, KeptReads
from tests.gateway.running import Door, Scripted, a_following_gateway, a_gateway, everywhere
from tests.support.eventually import eventually

MARKS = [
    (b"star-factory", b"f1"),
    (b"star-kind", b"assessment"),
    (b"star-cycle", b"3"),
    (b"star-document", b"r1"),
]
PDF = [(b"content-type", b"application/pdf")]
JSON = [(b"content-type", b"application/json")]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
REPORT, FILE, REPORTS = "/api/v1/reports/r1", "/api/v1/reports/r1/file", "/api/v1/reports"


def an_item(report_id: str, factory_id: str, cycle: int = 3) -> dict[str, object]:
    return {"id": report_id, "factory_id": factory_id, "cycle": cycle, "kind": "assessment", "more": [1]}


def a_page(*items: dict[str, object]) -> bytes:
    return msgspec.json.encode({"items": items, "next_cursor": None})


@pytest.fixture
def service() -> Scripted:
    return Scripted(headers=[*MARKS, *PDF], body=b"the report")


@pytest.fixture
def kept() -> KeptReads:
    return KeptReads()


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1", "f2")


@pytest.fixture(params=["inprocess", "http"])
async def door(
    request: pytest.FixtureRequest, service: Scripted, consent: FedConsent, kept: KeptReads, tmp_path: Path
) -> AsyncIterator[Door]:
    async with a_following_gateway(request.param, service, consent, tmp_path, read_sink=kept) as door:
        yield door


async def test_a_read_says_who_read_what_on_which_ground(door: Door, kept: KeptReads, consent: FedConsent) -> None:
    traceparent = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    got = await door.ask("GET", FILE, "buyer", headers=traceparent)
    assert (got.status, got.body) == (200, b"the report")
    (read,) = kept.reads
    assert timedelta(0) <= datetime.now(UTC) - read.at < timedelta(seconds=10)
    assert read == Read(
        id=read.id,
        at=read.at,
        act=Act.READ,
        factory_id="f1",
        buyer_id="b1",
        subject="buyer",
        name="A buyer",
        kinds=(ReportKind.ASSESSMENT,),
        cycles=(3,),
        documents=("r1",),
        route="/api/v1/reports/{report_id}/file",
        epoch=len(consent.entries),
        grounds=("g1",),
        trace_id=TRACE_ID,
    )


async def test_no_byte_leaves_before_the_read_is_on_record(door: Door, service: Scripted, kept: KeptReads) -> None:
    kept.hold = asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", REPORT, "buyer"))
    await eventually(lambda: service.seen, saying="the service has the request")
    done, _ = await asyncio.wait({asking}, timeout=0.3)
    assert not done
    kept.hold.set()
    assert (await asking).body == b"the report"


async def test_the_record_comes_before_the_start_of_the_answer(door: Door, kept: KeptReads) -> None:
    order: list[str] = []
    put = kept.put

    async def noting(batch: bytes) -> None:
        await put(batch)
        order.append("record")

    async def send(message: Any) -> None:
        order.append(message["type"])

    async def receive() -> Any:
        await asyncio.sleep(60)

    kept.put = noting  # type: ignore[method-assign]
    headers = [(b"authorization", f"Bearer {await door.token('buyer')}".encode())]
    scope = {"type": "http", "method": "GET", "path": REPORT, "raw_path": REPORT.encode(), "query_string": b""}
    await door.gateway.app({**scope, "headers": headers}, receive, send)  # type: ignore[arg-type]
    assert order[:3] == ["record", "http.response.start", "http.response.body"]


@pytest.mark.parametrize("failure", [ConnectionError("away"), RuntimeError("broken")], ids=["away", "broken"])
@pytest.mark.parametrize("path", [REPORT, FILE, REPORTS])
async def test_what_cannot_be_put_on_record_is_not_shown(
    door: Door, service: Scripted, kept: KeptReads, path: str, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.gateway.app._proxy.reading._log, "_wait_s", 0.2)
    kept.failure = failure
    if path == REPORTS:
        service.headers, service.body = JSON, a_page(an_item("r1", "f1"))
    got = await door.ask("GET", path, "buyer")
    assert (got.status, got.json()["code"], got.headers["retry-after"]) == (503, "read_not_recorded", "2")
    assert b"r1" not in got.body
    assert b"the report" not in got.body
    kept.failure = None
    monkeypatch.setattr(door.gateway.app._proxy.reading._log, "_wait_s", 20)
    assert (await door.ask("GET", path, "buyer")).status == 200


async def test_a_record_that_takes_too_long_is_not_waited_for(
    door: Door, kept: KeptReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.gateway.app._proxy.reading._log, "_wait_s", 0.2)
    kept.hold = asyncio.Event()
    got = await door.ask("GET", REPORT, "buyer")
    assert (got.status, got.json()["code"]) == (503, "read_not_recorded")


async def test_a_revocation_while_the_read_is_put_on_record_is_heeded(
    door: Door, kept: KeptReads, consent: FedConsent
) -> None:
    kept.hold = asyncio.Event()
    asking = asyncio.create_task(door.ask("GET", REPORT, "buyer"))
    await eventually(lambda: kept.is_held, saying="the read is put on record")
    consent.revoke("g1", "f1")
    await consent.heard()
    kept.hold.set()
    got = await asking
    assert got.status == 503
    assert b"the report" not in got.body


async def test_a_list_as_a_table_is_on_record_as_well(door: Door, service: Scripted, kept: KeptReads) -> None:
    service.headers, service.body = JSON, a_page(an_item("r1", "f1"))
    assert (await door.ask("GET", f"{REPORTS}?format=csv", "buyer")).status == 200
    assert [read.documents for read in kept.reads] == [("r1",)]


async def test_who_hears_that_a_copy_is_current_has_it_confirmed(
    door: Door, service: Scripted, kept: KeptReads
) -> None:
    service.headers, service.body = JSON, a_page(an_item("r1", "f1"))
    first = await door.ask("GET", REPORTS, "buyer")
    again = await door.ask("GET", REPORTS, "buyer", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert [(read.act, read.documents) for read in kept.reads] == [(Act.LISTED, ("r1",)), (Act.CONFIRMED, ("r1",))]
    service.headers, service.status, service.body = [*MARKS, (b"etag", b'"1"')], 304, b""
    assert (await door.ask("GET", REPORT, "buyer", headers={"if-none-match": '"1"'})).status == 304
    assert (kept.reads[-1].act, kept.reads[-1].documents) == (Act.CONFIRMED, ("r1",))


async def test_who_asks_for_the_head_alone_has_it_confirmed(door: Door, kept: KeptReads) -> None:
    assert (await door.ask("HEAD", REPORT, "buyer")).status == 200
    assert [(read.act, read.documents) for read in kept.reads] == [(Act.CONFIRMED, ("r1",))]


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
async def test_a_refusal_is_no_read(door: Door, service: Scripted, kept: KeptReads, status: int) -> None:
    service.status, service.headers, service.body = status, JSON, b"{}"
    assert (await door.ask("GET", REPORT, "buyer")).status == status
    assert kept.reads == []


@pytest.mark.parametrize("user", ["admin", "factory"])
async def test_staff_and_factories_are_not_on_the_read_log(door: Door, kept: KeptReads, user: str) -> None:
    assert (await door.ask("GET", REPORT, user)).status == 200
    assert kept.reads == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (REPORT, b"{}"),
        (FILE, b"{}"),
        (REPORTS, b"{}"),
        (REPORTS, b"[]"),
        (REPORTS, b'{"items":[{"id":"r1","cycle":3}]}'),
        (REPORTS, b'{"items":[{"id":"r1","factory_id":"f1","cycle":3}]}'),
        (REPORTS, b'{"items":[{"id":"r1","factory_id":"f1","cycle":3,"kind":"new"}]}'),
        (REPORTS, b'{"items":[{"id":"../r1","factory_id":"f1","cycle":3,"kind":"assessment"}]}'),
    ],
)
async def test_an_answer_of_which_nobody_can_tell_what_it_shows_is_not_shown(
    door: Door, service: Scripted, kept: KeptReads, path: str, body: bytes
) -> None:
    service.headers, service.body = JSON, body
    got = await door.ask("GET", path, "buyer")
    assert (got.status, got.json()["code"]) == (503, "read_not_recorded")
    assert kept.reads == []


async def test_without_access_buyers_are_told_to_come_back(
    service: Scripted, consent: FedConsent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstreams = {**everywhere(InProcessUpstream(service)), "access": HttpUpstream("http://127.0.0.1:9")}
    async with a_gateway(tmp_path, upstreams, consent, read_sink=None) as door:
        monkeypatch.setattr(door.gateway.app._proxy.reading._log, "_wait_s", 0.2)
        await consent.heard()
        got = await door.ask("GET", REPORT, "buyer")
        assert (got.status, got.json()["code"]) == (503, "read_not_recorded")
        assert (await door.ask("GET", REPORT, "admin")).status == 200


async def test_a_guard_sends_nothing_that_was_not_declared_to_be_on_record(consent: FedConsent) -> None:
    replica = Replica(today=lambda: datetime.now(UTC).date())
    replica.take(await consent.follow("g", after=0, entry_hash="", wait_s=0), sent_at=0.0)
    replica._lease_ends = float("inf")
    guard = replica.guard(replica.decide("b1"))
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="not on record"):
        await guard.send(send, {"type": "http.response.body", "body": b"", "more_body": False})
    guard.is_on_record = True
    await guard.send(send, {"type": "http.response.body", "body": b"", "more_body": False})
    assert len(sent) == 1
