"""What a portfolio names or holds is on record, and what is not shared is nowhere in it, whatever a service lists."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from contracts.reads import Act
from contracts.vocabulary import ReportKind
from gateway.recording import ReadNotRecorded
from gateway.showing import LISTS
from tests.gateway.feed import FedConsent, KeptReads
from tests.gateway.portfolios import manifest, portfolio, states
from tests.gateway.running import Door, a_following_gateway
from tests.gateway.shelf import Shelf
from tests.support.eventually import eventually


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent("f1", "f2")


@pytest.fixture
def reads() -> KeptReads:
    return KeptReads()


@pytest.fixture
async def door(shelf: Shelf, consent: FedConsent, reads: KeptReads, tmp_path: Path) -> AsyncIterator[Door]:
    async with a_following_gateway("http", shelf, consent, tmp_path, read_sink=reads) as door:
        yield door


def recorded(reads: KeptReads, act: Act) -> list[str]:
    return sorted(document for read in reads.reads if read.act is act for document in read.documents)


async def test_every_document_is_put_on_record(door: Door, reads: KeptReads) -> None:
    await portfolio(door)
    assert recorded(reads, Act.READ) == ["p1", "p1", "p2", "p2", "r1", "r1", "r2", "r2", "r3", "r3"]


@pytest.mark.parametrize(
    ("query", "named"),
    [("", ["p1", "p1", "p2", "p2", "r1", "r2", "r3"]), ("?cycle=2", ["p2", "p2", "r2"])],
    ids=["all", "one cycle"],
)
async def test_what_the_manifest_names_is_put_on_record_as_listed(
    door: Door, reads: KeptReads, query: str, named: list[str]
) -> None:
    found = await portfolio(door, query)
    assert recorded(reads, Act.LISTED) == named
    assert {read.route for read in reads.reads if read.act is Act.LISTED} == set(LISTS)
    assert {f["document_id"] for f in manifest(found)["files"]} == set(named)


async def test_what_cannot_be_put_on_record_is_not_in_it(door: Door, reads: KeptReads) -> None:
    reads.refused = Act.READ
    found = await portfolio(door)
    assert set(states(found)) == {"not_available"}
    assert set(found.namelist()) == {"index.csv", "manifest.json"}


async def test_without_the_record_nothing_is_named(door: Door, reads: KeptReads) -> None:
    reads.failure = ReadNotRecorded("the disk is full")
    got = await door.ask("GET", "/api/v1/portfolio", "buyer")
    assert (got.status, got.json()["code"]) == (503, "read_not_recorded")
    assert b"f1" not in got.body


async def test_a_later_list_that_cannot_be_put_on_record_breaks_the_download_off(
    door: Door, shelf: Shelf, reads: KeptReads
) -> None:
    shelf.held = "reports/r1/file"
    asking = asyncio.create_task(portfolio(door))
    await eventually(lambda: "reports/r1/file?" in shelf.seen, saying="the first report is asked for")
    reads.failure = ReadNotRecorded("the disk is full")
    shelf.go_on.set()
    with pytest.raises(aiohttp.ClientPayloadError):
        await asking


async def test_of_what_a_service_lists_by_mistake_nothing_is_told(door: Door, shelf: Shelf, reads: KeptReads) -> None:
    shelf.reports["r9"] = ("f9", 1)
    found = await portfolio(door)
    assert set(states(found)) == {"included"}
    assert not [name for name in found.namelist() if "f9" in name or b"r9" in found.read(name)]
    assert {f["factory_id"] for f in manifest(found)["files"]} == {"f1", "f2"}
    assert "f9" not in {read.factory_id for read in reads.reads}


async def test_a_kind_that_is_not_shared_is_not_in_it(door: Door, shelf: Shelf, consent: FedConsent) -> None:
    shelf.plans["p9"] = ("f9", 1)
    consent.give("g9", "f9", "b1", ReportKind.ASSESSMENT)
    await consent.heard()
    assert b"p9" not in (await portfolio(door)).read("manifest.json")
