"""A list is on record as one read of each factory that it shows, with the documents that it names."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from contracts.reads import Act
from contracts.vocabulary import ReportKind
from gateway.inprocess import InProcessUpstream
from tests.gateway.feed import FedConsent, KeptReads
from tests.gateway.running import Door, Scripted, a_gateway, everywhere

JSON = [(b"content-type", b"application/json")]
REPORTS, PLANS, CHANGES = "/api/v1/reports", "/api/v1/plans", "/api/v1/changes"
DOCUMENT: dict[str, object] = {"paths": {path: {"get": {}} for path in (REPORTS, PLANS, CHANGES)}}


@pytest.fixture
def kept() -> KeptReads:
    return KeptReads()


@contextlib.asynccontextmanager
async def listing(
    folder: Path, kept: KeptReads, items: Sequence[object], *kinds_of_f2: ReportKind
) -> AsyncIterator[Door]:
    """A gateway whose services answer these items, to a buyer that sees all of f1 and these kinds of f2."""
    consent = FedConsent()
    consent.give("g1", "f1")
    consent.give("g2", "f2", "b1", *kinds_of_f2)
    service = Scripted(headers=JSON, body=msgspec.json.encode({"items": items, "next_cursor": None}))
    upstreams = everywhere(InProcessUpstream(service))
    async with a_gateway(folder, upstreams, consent, read_sink=kept, document=DOCUMENT) as door:
        await consent.heard()
        yield door


def an_item(report_id: str, factory_id: str, cycle: int = 3) -> dict[str, object]:
    return {"id": report_id, "factory_id": factory_id, "cycle": cycle, "kind": "assessment", "more": [1]}


async def test_a_list_is_one_read_of_each_factory_that_it_shows(kept: KeptReads, tmp_path: Path) -> None:
    items = an_item("r1", "f1"), an_item("r2", "f2"), an_item("r3", "f1", cycle=2)
    async with listing(tmp_path, kept, items) as door:
        assert (await door.ask("GET", REPORTS, "buyer")).status == 200
    told = [(read.act, read.factory_id, read.documents, read.cycles, read.grounds) for read in kept.reads]
    assert told == [
        (Act.LISTED, "f1", ("r1", "r3"), (2, 3), ("g1",)),
        (Act.LISTED, "f2", ("r2",), (3,), ("g2",)),
    ]
    assert len(kept.batches) == 1


async def test_a_long_list_of_one_factory_is_several_reads(kept: KeptReads, tmp_path: Path) -> None:
    items = [an_item(f"r{number}", "f1") for number in range(450)]
    async with listing(tmp_path, kept, items) as door:
        assert (await door.ask("GET", REPORTS, "buyer")).status == 200
    assert [len(read.documents) for read in kept.reads] == [200, 200, 50]


async def test_an_empty_list_shows_nothing(kept: KeptReads, tmp_path: Path) -> None:
    async with listing(tmp_path, kept, []) as door:
        assert (await door.ask("GET", REPORTS, "buyer")).status == 200
    assert kept.reads == []


async def test_the_feed_of_changes_shows_what_is_there_and_not_what_is_gone(kept: KeptReads, tmp_path: Path) -> None:
    told = {"factory_id": "f1", "cycle": 3, "kind": "progress"}
    items = [{**told, "document_id": "r1", "is_withdrawn": False}, {**told, "document_id": "r2", "is_withdrawn": True}]
    async with listing(tmp_path, kept, items) as door:
        assert (await door.ask("GET", CHANGES, "buyer")).status == 200
    assert [(read.documents, read.kinds) for read in kept.reads] == [(("r1",), (ReportKind.PROGRESS,))]


async def test_a_plan_in_a_list_shows_its_progress_to_whom_that_is_shared(kept: KeptReads, tmp_path: Path) -> None:
    plan = ReportKind.IMPROVEMENT_PLAN
    items = [{"id": f"p{number}", "factory_id": f"f{number}", "cycle": 3} for number in (1, 2)]
    async with listing(tmp_path, kept, items, plan) as door:
        assert (await door.ask("GET", PLANS, "buyer")).status == 200
    assert [read.kinds for read in kept.reads] == [(plan, ReportKind.PROGRESS), (plan,)]
