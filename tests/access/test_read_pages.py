"""The stored read log of a factory is one chain, whoever writes at the same time; a repeated batch changes nothing."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from contracts.errors import NotFound
from contracts.identity import Scope
from contracts.ledger import LedgerKey
from services.access.domain.consent.entry import followed
from services.access.domain.read_export import line_of, verified_log
from services.access.domain.reading import Head, LoggedRead, logged
from services.access.queries.reads import export_log
from services.access.store.ledger import KeyNotAnnounced, Keys, Ledger
from services.access.store.reads import Asked, ReadPages
from services.runtime.bus import RetryPolicy
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents import Collection, Document, Documents
from services.runtime.relay import Relay
from services.runtime.unavailable import StoreUnavailable
from tests.access.entries import KEY, NEXT_KEY
from tests.access.logs import a_read
from tests.support.eventually import eventually
from tests.support.stores import documents_in

WHOLE = Scope.whole("JO")
AT = datetime(2026, 3, 10, 8, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.servers)])
async def documents(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Documents]:
    """Not started: the logs declare their collections first."""
    url = None if request.param == "sqlite" else request.getfixturevalue("mongo_url")
    async with documents_in(tmp_path, url) as found:
        yield found


def a_process(documents: Documents, key: LedgerKey = KEY, previous: LedgerKey | None = None) -> ReadPages:
    """The logs as one process of access has them: with a memory of its own."""
    bus = InProcessBus(documents.collection("messages", INDEXES), RetryPolicy())
    keys = Keys(current=key, previous=previous)
    ledger = Ledger(documents, keys=keys, source="JO/access", relay=Relay(bus, scan_every_s=60))
    return ReadPages(documents, ledger=ledger, keys=keys)


@pytest.fixture
async def log(documents: Documents) -> ReadPages:
    pages = a_process(documents)
    await documents.start()
    return pages


def reads(*ids: str, **fields: object) -> tuple[LoggedRead, ...]:
    return tuple(logged(a_read(read_id, **fields), ()) for read_id in ids)


async def exported(pages: ReadPages, factory_id: str = "f1") -> tuple[list[str], Head]:
    """The ids of the reads in a factory's log, which is checked."""
    head = await pages.head(factory_id, WHOLE, at=AT)
    found = [page async for page in pages.pages(factory_id, WHOLE, last=head.pages)]
    announced = [line_of(followed(entry)) for entry in (await pages._ledger.current()).announcements()]
    verified_log([*announced, *map(line_of, found), line_of(head)])
    return [read.id for page in found for read in page.reads], head


async def test_processes_that_write_at_the_same_time_leave_one_chain(documents: Documents, log: ReadPages) -> None:
    others = [log, a_process(documents), a_process(documents)]
    await documents.start()
    names = [f"r{number}" for number in range(30)]
    await asyncio.gather(
        *(others[number % 3].append("f1", f"b-{name}", reads(name), at=AT) for number, name in enumerate(names))
    )
    found, head = await exported(log)
    assert sorted(found) == sorted(names)
    assert (head.pages, head.reads) == (30, 30)


async def test_a_batch_that_comes_again_changes_nothing(documents: Documents, log: ReadPages) -> None:
    other = a_process(documents)
    await log.append("f1", "b1", reads("r1", "r2"), at=AT)
    await log.append("f1", "b1", reads("r1", "r2"), at=AT)
    await other.append("f1", "b1", reads("r1", "r2"), at=AT)
    await asyncio.gather(*(pages.append("f1", "b2", reads("r3"), at=AT) for pages in (log, other) * 3))
    assert (await exported(log))[0] == ["r1", "r2", "r3"]


async def test_a_store_that_was_away_is_not_asked_where_the_log_ends_by_everybody_at_once(log: ReadPages) -> None:
    await log.append("f1", "b1", reads("r1"), at=AT)
    log._pages = Unsure(log._pages, does_write=False)  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable):
        await log.append("f1", "b2", reads("r2"), at=AT)
    with patch.object(ReadPages, "_stored", side_effect=AssertionError("the store was asked")):
        await log.append("f1", "b2", reads("r2"), at=AT)
    assert (await exported(log))[0] == ["r1", "r2"]


async def test_each_factory_has_a_log_of_its_own(log: ReadPages) -> None:
    await log.append("f1", "b1", reads("r1"), at=AT)
    await log.append("f10", "b1", reads("r2"), at=AT)
    await log.append("f1", "b2", reads("r3"), at=AT)
    assert (await exported(log))[0] == ["r1", "r3"]
    assert (await exported(log, "f10"))[0] == ["r2"]
    assert (await exported(log, "f"))[1].pages == 0


class Unsure:
    """A collection whose next insert is not acknowledged, though it was done or not as asked."""

    def __init__(self, collection: Collection, *, does_write: bool) -> None:
        self._collection = collection
        self._does_write = does_write
        self._is_broken = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._collection, name)

    async def insert(self, document: Document) -> None:
        if self._does_write or not self._is_broken:
            await self._collection.insert(document)
        if self._is_broken:
            self._is_broken = False
            raise StoreUnavailable("The documents cannot be reached just now.")


@pytest.mark.parametrize("does_write", [True, False], ids=["was written", "was not written"])
async def test_a_write_of_unknown_end_is_neither_lost_nor_doubled_when_it_is_repeated(
    log: ReadPages,
    does_write: bool,  # noqa: FBT001
) -> None:
    await log.append("f1", "b1", reads("r1"), at=AT)
    log._pages = Unsure(log._pages, does_write=does_write)  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable):
        await log.append("f1", "b2", reads("r2"), at=AT)
    await log.append("f1", "b2", reads("r2"), at=AT)
    await log.append("f1", "b3", reads("r3"), at=AT)
    assert (await exported(log))[0] == ["r1", "r2", "r3"]


async def test_a_replaced_key_adds_nothing_where_its_successor_wrote(documents: Documents, log: ReadPages) -> None:
    await log.append("f1", "b1", reads("r1"), at=AT)
    rotated = a_process(documents, NEXT_KEY, previous=KEY)
    await rotated.append("f1", "b2", reads("r2"), at=AT)
    with pytest.raises(KeyNotAnnounced):
        await log.append("f1", "b3", reads("r3"), at=AT)
    with pytest.raises(KeyNotAnnounced):
        await log.append("f2", "b3", reads("r3"), at=AT)
    with pytest.raises(KeyNotAnnounced):
        await log.head("f1", WHOLE, at=AT)
    assert (await exported(rotated))[0] == ["r1", "r2"]


async def test_a_process_finds_out_that_its_key_was_replaced_wherever_it_wrote_last(
    documents: Documents, log: ReadPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.append("f1", "b1", reads("r1"), at=AT)
    await a_process(documents, NEXT_KEY, previous=KEY).append("f2", "b2", reads("r2"), at=AT)
    monkeypatch.setattr("services.access.store.reads.LOOK_AGAIN_S", 0.05)

    async def is_refused() -> bool:
        with contextlib.suppress(KeyNotAnnounced):
            await log.append("f1", secrets.token_hex(8), reads("r3"), at=AT)
            return False
        return True

    await eventually(is_refused, saying="the replaced key signs no more pages")


async def test_an_export_that_began_before_the_next_key_was_announced_verifies(
    documents: Documents, log: ReadPages
) -> None:
    await log.append("f1", "b1", reads("r1"), at=AT)
    head = await log.head("f1", WHOLE, at=AT)
    rotated = a_process(documents, NEXT_KEY, previous=KEY)
    await rotated.append("f1", "b2", reads("r2"), at=AT)
    lines = [line async for line in export_log(rotated, rotated._ledger, WHOLE, head)]
    assert verified_log(lines, key=KEY.id).head == head


async def walked(log: ReadPages, asked: Asked, scope: Scope = WHOLE, limit: int = 3) -> list[tuple[str, int]]:
    """Everything that is listed, page by page."""
    found: list[tuple[str, int]] = []
    cursor: str | None = None
    while True:
        page = await log.find(scope, asked, limit=limit, after=cursor)
        assert len(page.items) <= limit
        found += [(read.id, read.number) for read in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.fixture
async def several(log: ReadPages) -> ReadPages:
    """Three pages of f1 in two moments and one of f2, with the reads of two buyers."""
    await log.append("f1", "b1", reads("r1", "r2"), at=AT)
    both = (*reads("r3"), *reads("r4", buyer_id="b2"), *reads("r5", "r6", "r7"))
    await log.append("f1", "b2", both, at=AT + timedelta(milliseconds=100))
    await log.append("f1", "b3", reads("r8"), at=AT + timedelta(milliseconds=100))
    await log.append("f2", "b3", reads("r9", buyer_id="b2"), at=AT + timedelta(seconds=1))
    return log


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_a_walk_shows_every_read_once_newest_first(several: ReadPages, limit: int) -> None:
    of_f1 = [(f"r{number}", number) for number in range(8, 0, -1)]
    assert await walked(several, Asked(factory_id="f1"), limit=limit) == of_f1
    assert await walked(several, Asked(), limit=limit) == [("r9", 1), *of_f1]


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        (Asked(buyer_id="b2"), ["r9", "r4"]),
        (Asked(factory_id="f1", buyer_id="b2"), ["r4"]),
        (Asked(buyer_id="b3"), []),
        (Asked(since=AT + timedelta(milliseconds=100)), ["r9", "r8", "r7", "r6", "r5", "r4", "r3"]),
        (Asked(until=AT + timedelta(milliseconds=100)), ["r2", "r1"]),
        (Asked(since=AT + timedelta(milliseconds=101), until=AT + timedelta(seconds=1)), []),
    ],
    ids=["a buyer", "a buyer at a factory", "nobody", "since", "until", "between"],
)
async def test_a_list_holds_what_was_asked_for(several: ReadPages, asked: Asked, seen: list[str]) -> None:
    for limit in (1, 50):
        assert [name for name, _ in await walked(several, asked, limit=limit)] == seen


async def test_what_is_out_of_scope_is_not_shown(several: ReadPages) -> None:
    other = Scope(country="JO", factories=frozenset({"f2"}))
    buyer = Scope(country="JO", factories=frozenset({"f1"}), buyer_id="b1")
    assert [name for name, _ in await walked(several, Asked(), other)] == ["r9"]
    assert await walked(several, Asked(factory_id="f1"), other) == []
    assert await walked(several, Asked(factory_id="f1"), buyer) == []
    for scope in (other, buyer):
        assert [page async for page in several.pages("f1", scope, last=3)] == []
        with pytest.raises(NotFound):
            await several.head("f1", scope, at=AT)
