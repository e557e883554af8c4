"""A buyer takes everything home in one file: exactly what it may see, and the file says so itself."""

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import aiohttp
import msgspec
import pytest

from contracts.vocabulary import ReportKind
from gateway.manifest import INDEX
from tests.gateway.feed import FedConsent, KeptReads
from tests.gateway.portfolios import manifest, portfolio, states
from tests.gateway.running import Door, a_following_gateway
from tests.gateway.shelf import PIECE, Shelf
from tests.support.eventually import eventually, until_still

MB = 1024 * 1024
ALL = {
    "reports/f1/cycle-1/assessment-r1.json",
    "reports/f1/cycle-1/assessment-r1.pdf",
    "reports/f1/cycle-2/assessment-r2.json",
    "reports/f1/cycle-2/assessment-r2.pdf",
    "reports/f2/cycle-1/assessment-r3.json",
    "reports/f2/cycle-1/assessment-r3.pdf",
    "plans/f1/cycle-1/improvement_plan-p1.json",
    "plans/f2/cycle-2/improvement_plan-p2.json",
    "plans/f1/cycle-1/progress-p1.json",
    "plans/f2/cycle-2/progress-p2.json",
}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1", "f2")


@pytest.fixture
def reads() -> KeptReads:
    return KeptReads()


@pytest.fixture(params=["inprocess", "http"])
async def door(
    request: pytest.FixtureRequest, shelf: Shelf, consent: FedConsent, reads: KeptReads, tmp_path: Path
) -> AsyncIterator[Door]:
    async with a_following_gateway(request.param, shelf, consent, tmp_path, read_sink=reads) as door:
        yield door


def listed(found: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(found.read("index.csv").decode(), newline="")))


async def test_all_that_is_shared_is_there(door: Door) -> None:
    found = await portfolio(door)
    assert set(found.namelist()) == ALL | {"index.csv", "manifest.json"}
    assert found.testzip() is None
    assert found.read("reports/f1/cycle-1/assessment-r1.pdf") == Shelf().pdf
    assert msgspec.json.decode(found.read("plans/f2/cycle-2/improvement_plan-p2.json"))["text"] == "é"


async def test_the_manifest_tells_of_every_file(door: Door, consent: FedConsent) -> None:
    found = await portfolio(door)
    told = manifest(found)
    assert (told["buyer_id"], told["is_complete"], told["cycle"]) == ("b1", True, None)
    assert (told["epoch_begun"], told["epoch_ended"]) == (len(consent.entries), len(consent.entries))
    assert {f["path"]: f["sha256"] for f in told["files"]} == {p: sha256(found.read(p)).hexdigest() for p in ALL}


async def test_the_table_lists_every_file_and_runs_no_formula(door: Door) -> None:
    rows = listed(await portfolio(door))
    assert tuple(rows[0]) == INDEX
    assert {row["path"] for row in rows} == ALL
    assert {row["factory_name"] for row in rows if row["path"].startswith("reports")} == {"'=Sewing"}


async def test_one_cycle_can_be_asked_for(door: Door, shelf: Shelf) -> None:
    found = await portfolio(door, "?cycle=1")
    assert {name.split("/")[2] for name in found.namelist() if "/" in name} == {"cycle-1"}
    assert manifest(found)["cycle"] == 1
    assert "reports?limit=100&cycle=1" in shelf.seen


@pytest.mark.parametrize("query", ["?cycle=x", "?cycle=-1", "?cycle=10001", "?cycle=1&cycle=2", "?cycle="])
async def test_what_is_no_cycle_is_refused(door: Door, query: str) -> None:
    got = await door.ask("GET", f"/api/v1/portfolio{query}", "buyer")
    assert (got.status, got.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("user", ["admin", "factory"])
async def test_only_buyers_have_a_portfolio(door: Door, shelf: Shelf, user: str) -> None:
    assert (await door.ask("GET", "/api/v1/portfolio", user)).status == 403
    assert shelf.seen == []


async def test_what_is_withdrawn_before_its_turn_is_left_out(door: Door, shelf: Shelf, consent: FedConsent) -> None:
    shelf.held = "reports/r3"
    asking = asyncio.create_task(portfolio(door))
    await eventually(lambda: "reports/r3?" in shelf.seen, saying="the third report is asked for")
    consent.revoke("g2", "f2")
    await consent.heard()
    shelf.go_on.set()
    found = await asking
    assert states(found) == {"included": {"r1", "r2", "p1"}, "withdrawn": {"r3"}}
    assert not [name for name in found.namelist() if "/f2/" in name]


async def test_what_is_withdrawn_while_it_is_put_on_record_is_left_out(
    door: Door, shelf: Shelf, consent: FedConsent, reads: KeptReads
) -> None:
    shelf.held = "reports/r3"
    asking = asyncio.create_task(portfolio(door))
    await eventually(lambda: "reports/r3?" in shelf.seen, saying="the third report is asked for")
    reads.hold = asyncio.Event()
    shelf.go_on.set()
    await eventually(lambda: reads.is_held, saying="the read is put on record")
    consent.revoke("g2", "f2")
    await consent.heard()
    reads.hold.set()
    assert states(await asking) == {"included": {"r1", "r2", "p1"}, "withdrawn": {"r3"}}


async def test_what_is_withdrawn_after_its_turn_is_told(door: Door, shelf: Shelf, consent: FedConsent) -> None:
    shelf.held = "reports/r3"
    asking = asyncio.create_task(portfolio(door))
    await eventually(lambda: "reports/r3?" in shelf.seen, saying="the third report is asked for")
    consent.revoke("g1", "f1")
    await consent.heard()
    shelf.go_on.set()
    found = await asking
    assert states(found) == {
        "included": {"r3", "p2"},
        "included_then_withdrawn": {"r1", "r2"},
    }
    assert {row["factory_id"] for row in listed(found)} == {"f2"}


async def begun(door: Door) -> aiohttp.ClientResponse:
    headers = {"authorization": f"Bearer {await door.token('buyer')}"}
    answer = await door.http.get(f"{door.url}/api/v1/portfolio", headers=headers)
    await answer.content.readany()
    return answer


async def test_what_is_withdrawn_while_it_is_sent_breaks_the_download_off(
    door: Door, shelf: Shelf, consent: FedConsent
) -> None:
    shelf.pdf = b"x" * 40 * MB
    answer = await begun(door)
    replica = door.gateway.app._proxy._replica

    async def is_stuck() -> bool:
        sending = next((guard._sending for guard in replica._guards), None)
        await asyncio.sleep(0.1)
        still = next((guard._sending for guard in replica._guards), None)
        return sending is not None and sending is still and not sending.done()

    await eventually(is_stuck, saying="a piece waits for its reader")
    consent.revoke("g1", "f1")
    await consent.heard()
    with pytest.raises(aiohttp.ClientPayloadError):
        async with asyncio.timeout(5):
            await answer.content.read()
    answer.close()


async def test_a_download_is_broken_off_when_the_lease_runs_out(door: Door, shelf: Shelf, consent: FedConsent) -> None:
    shelf.held = "plans/p2"
    answer = await begun(door)
    await door.no_lease(consent)
    shelf.go_on.set()
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.content.read()
    answer.close()


async def test_without_a_lease_nothing_begins(door: Door, shelf: Shelf, consent: FedConsent) -> None:
    await door.no_lease(consent)
    got = await door.ask("GET", "/api/v1/portfolio", "buyer")
    assert (got.status, got.json()["code"]) == (503, "consent_unknown")
    assert shelf.seen == []


async def test_a_document_that_cannot_be_read_is_named_and_the_rest_is_there(door: Door, shelf: Shelf) -> None:
    shelf.broken = {"reports/r2/file"}
    found = await portfolio(door)
    told = manifest(found)
    missing = [f["path"] for f in told["files"] if f["state"] == "not_available"]
    assert (told["is_complete"], missing) == (False, ["reports/f1/cycle-2/assessment-r2.pdf"])
    assert len(found.namelist()) == len(ALL) + 1


async def test_a_list_that_cannot_be_read_is_a_refusal(door: Door, shelf: Shelf) -> None:
    shelf.broken = {"reports"}
    got = await door.ask("GET", "/api/v1/portfolio", "buyer")
    assert (got.status, got.json()["code"]) == (503, "service_not_available")


async def test_a_list_that_breaks_off_later_breaks_the_download_off(door: Door, shelf: Shelf) -> None:
    shelf.broken = {"plans"}
    with pytest.raises(aiohttp.ClientPayloadError):
        await door.ask("GET", "/api/v1/portfolio", "buyer")


async def test_what_somebody_may_see_of_the_progress_alone_is_there(
    door: Door, shelf: Shelf, consent: FedConsent
) -> None:
    consent.give("g3", "f3", "b1", ReportKind.PROGRESS)
    await consent.heard()
    shelf.progress |= {"p3": ("f3", 1), "p4": ("f3", 2)}
    shelf.withdrawn = {"p4"}
    found = await portfolio(door)
    assert [name for name in found.namelist() if "/f3/" in name] == ["plans/f3/cycle-1/progress-p3.json"]
    assert manifest(found)["is_complete"]


async def test_a_long_file_that_breaks_off_breaks_the_download_off(door: Door, shelf: Shelf) -> None:
    shelf.pdf, shelf.breaks_after = b"x" * 4 * MB, 40
    with pytest.raises(aiohttp.ClientPayloadError):
        await door.ask("GET", "/api/v1/portfolio", "buyer")


async def test_a_short_file_that_breaks_off_is_named_and_the_rest_is_there(door: Door, shelf: Shelf) -> None:
    shelf.pdf, shelf.breaks_after = b"x" * (MB // 2), 6
    found = await portfolio(door)
    assert [f["path"] for f in manifest(found)["files"] if f["state"] == "not_available"]
    assert "plans/f1/cycle-1/improvement_plan-p1.json" in found.namelist()


async def test_a_long_file_arrives_whole(door: Door, shelf: Shelf) -> None:
    shelf.pdf = bytes(range(256)) * 12 * 1024
    found = await portfolio(door)
    path = "reports/f1/cycle-1/assessment-r1.pdf"
    assert found.read(path) == shelf.pdf
    (line,) = (f for f in manifest(found)["files"] if f["path"] == path)
    assert (line["size"], line["sha256"]) == (len(shelf.pdf), sha256(shelf.pdf).hexdigest())


async def test_a_slow_reader_holds_no_long_file_in_memory(door: Door, shelf: Shelf) -> None:
    shelf.pdf = b"x" * 60 * MB
    replica = door.gateway.app._proxy._replica

    async def is_held_up() -> bool:
        shelf.made = 0
        answer = await begun(door)
        await until_still(lambda: shelf.made)
        is_running = bool(replica._guards)  # on a busy machine a lease may run out, and then all is let go of
        answer.close()
        return is_running and 0 < shelf.made < 30 * MB // PIECE

    await eventually(is_held_up, within_s=30, saying="the service waits for the reader")


async def test_who_asks_for_the_head_alone_hears_what_would_come(door: Door, shelf: Shelf) -> None:
    got = await door.ask("HEAD", "/api/v1/portfolio", "buyer")
    assert (got.status, got.headers["content-type"], got.body) == (200, "application/zip", b"")
    assert (await door.ask("HEAD", "/api/v1/portfolio", "factory")).status == 403
    assert shelf.seen == []


async def test_a_slow_reader_holds_up_the_reading_of_documents(door: Door, shelf: Shelf) -> None:
    shelf.reports = {f"r{number}": ("f1", 1) for number in range(40)}
    shelf.pdf = b"x" * 4 * MB
    answer = await begun(door)
    await until_still(lambda: len(shelf.seen))
    assert len(shelf.seen) < 40
    answer.close()


async def test_a_buyer_downloads_one_portfolio_at_a_time(door: Door, shelf: Shelf) -> None:
    shelf.held = "reports/r2"
    first = asyncio.create_task(portfolio(door))
    await eventually(lambda: "reports/r2?" in shelf.seen, saying="the first download is on its way")
    got = await door.ask("GET", "/api/v1/portfolio", "buyer")
    assert (got.status, got.json()["code"], got.headers["retry-after"]) == (429, "portfolio_running", "10")
    shelf.go_on.set()
    await first
    assert set((await portfolio(door)).namelist()) > ALL
