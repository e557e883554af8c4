"""Whatever happens between its syncs, a client that applies the changes feed holds exactly what it may see."""

import asyncio
import base64
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.access import ENDS, EntryKind
from contracts.ledger import LedgerKey
from contracts.reporting import ReportReleasedV1
from contracts.visibility import may_see
from contracts.vocabulary import ReportKind
from services.access.domain.consent import facts, paid
from services.access.domain.consent.agreed import SharingSuspended
from services.access.domain.consent.facts import Fact
from services.access.domain.grant import Grant
from services.access.domain.sharing import SharedDocument
from services.access.queries.changes import list_changes
from services.access.store.changes import Journal
from services.access.store.ledger import Keys, Ledger
from services.access.usecases.changes import note_change
from services.runtime.bus import Delivery
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.identity import new_signing_key
from services.runtime.relay import Relay
from tests.support.services import FAST, a_message

ZONE = ZoneInfo("Asia/Amman")
START = datetime(2026, 3, 10, 8, tzinfo=UTC)
KEY = LedgerKey(new_signing_key())
BUYER = "b1"
Step = tuple[str, object, object]
KINDS = (ReportKind.ASSESSMENT, ReportKind.PROGRESS)
OF_RECORDS = frozenset(ENDS.values()) - {EntryKind.MEMBER_ADMITTED, EntryKind.GROUP_JOINED}
"""What begins between a buyer and factories, of which its feed tells."""

WINDOW = st.tuples(st.integers(-2, 4), st.one_of(st.none(), st.integers(0, 4)))
RECORD = st.tuples(st.sampled_from(["f1", "f2"]), WINDOW, st.sampled_from([(), (1,), (2,)]))
STEP = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(sorted(OF_RECORDS)), RECORD),
    st.tuples(st.just("end"), st.integers(0, 9), st.none()),
    st.tuples(st.just("publish"), st.sampled_from(["d1", "d2", "d3", "d4"]), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 3), st.none()),
    st.tuples(st.just("page"), st.sampled_from(["keen", "idle"]), st.integers(1, 2)),
    st.tuples(st.just("sync"), st.sampled_from(["keen", "idle"]), st.integers(1, 3)),
)


class Client:
    """Somebody's program that follows the feed."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.since: str | None = None
        self.cursor: str | None = None


class Country:
    """A ledger, a journal and a calendar, with the model of who could see what."""

    def __init__(self, documents: SqliteDocuments, relay: Relay) -> None:
        self.ledger = Ledger(documents, keys=Keys(current=KEY), source="JO/access", relay=relay)
        self.journal = Journal(documents)
        self.now = START
        self.records: list[tuple[EntryKind, str, str]] = []
        self.changes = 0
        self.begun = 0
        self.once_seen: set[str] = set()
        self.clients = {"keen": Client(), "idle": Client()}

    @property
    def today(self) -> date:
        return self.now.astimezone(ZONE).date()

    async def visible(self) -> dict[str, int]:
        """The documents that may be seen now, with their latest change."""
        fold = (await self.ledger.current()).visible
        found = (await self.journal.current()).documents()
        return {each.key: each.last for each in found if self._may_see(fold, each)}

    def _may_see(self, fold: object, document: SharedDocument) -> bool:
        return may_see(fold, BUYER, document.factory_id, document.kind, self.today, document.cycle)  # type: ignore[arg-type]

    async def do(self, step: Step) -> None:
        await getattr(self, f"do_{step[0]}")(step[1], step[2])
        self.once_seen |= set(await self.visible())

    async def do_begin(self, kind: EntryKind, told: tuple[str, tuple[int, int | None], tuple[int, ...]]) -> None:
        factory_id, (starts, ends), cycles = told
        if kind in {EntryKind.BUYER_CLOSED, EntryKind.SHARING_SUSPENDED} and any(kind == k for k, _, _ in self.records):
            return
        self.begun += 1
        record_id = f"r{self.begun}" if kind is not EntryKind.BUYER_CLOSED else BUYER
        first = self.today + timedelta(days=starts)
        last = None if ends is None else first + timedelta(days=ends)
        fact = _beginning(kind, record_id, factory_id, first, last, cycles)
        await self.append(lambda _: fact)
        self.records.append((kind, record_id, fact.shown()["factory_id"]))

    async def do_end(self, number: int, _: None) -> None:
        if number < len(self.records):
            kind, record_id, factory_id = self.records.pop(number)
            ending = next(end for end, begin in ENDS.items() if begin == kind)
            about = {"record_id": record_id, "buyer_id": BUYER, "factory_id": factory_id}
            fact = next(each for each in Fact.__args__ if each.__struct_config__.tag == ending.value)(**about)
            await self.append(lambda _: fact)

    async def append(self, decide: Callable[[object], Fact]) -> None:
        await self.ledger.append(decide, by="someone", at=self.now)

    async def do_publish(self, document_id: str, _: None) -> None:
        self.changes += 1
        number = int(document_id[1])
        event = ReportReleasedV1(
            report_id=document_id,
            factory_id="f1" if number < 3 else "f2",
            kind=KINDS[number % 2],
            cycle=1 + number // 2 % 2,
            visit_id="v",
            released_on=self.today.isoformat(),
        )
        await note_change(
            self.journal,
            self.ledger,
            (event.kind,),
            document_id=document_id,
            factory_id=event.factory_id,
            cycle=event.cycle,
            cause=Delivery(a_message(event, subject=document_id, sequence=self.changes, at=self.now), 1),
            now=self.now.astimezone(ZONE),
        )

    async def do_wait(self, days: int, _: None) -> None:
        for _day in range(days):
            self.now += timedelta(days=1)
            self.once_seen |= set(await self.visible())

    async def do_page(self, name: str, limit: int) -> bool:
        """Read one page; tell whether it was the last."""
        client = self.clients[name]
        page = await list_changes(
            self.journal,
            self.ledger,
            BUYER,
            changed_since=client.since,
            limit=limit,
            after=client.cursor,
            today=self.today,
            zone=ZONE,
        )
        visible = await self.visible()
        for item in page.items:
            key = f"{item.kind}:{item.document_id}"
            if item.is_withdrawn:
                assert key in self.once_seen, "told of what it never could see"
                client.held.pop(key, None)
            else:
                assert key in visible, "shown what it may not see"
                client.held[key] = visible[key]
        client.cursor = page.next_cursor
        client.since = page.changed_since or client.since
        return page.next_cursor is None

    async def do_sync(self, name: str, limit: int) -> None:
        client = self.clients[name]
        while client.cursor is not None:
            await self.do_page(name, limit)
        while not await self.do_page(name, limit):
            pass
        assert client.held == await self.visible()


def _beginning(
    kind: EntryKind, record_id: str, factory_id: str, first: date, last: date | None, cycles: tuple[int, ...]
) -> Fact:
    about: dict[str, Any] = {
        "id": record_id,
        "factory_id": factory_id,
        "buyer_id": BUYER,
        "starts_on": first,
        "ends_on": last,
    }
    match kind:
        case EntryKind.GRANT_GIVEN:
            return facts.GrantGiven(grant=Grant(**about, kinds=KINDS[: 1 + len(cycles)], purpose="review"))
        case EntryKind.DISCLOSURE_MADE:
            people: dict[str, Any] = {"reason": "zero tolerance", "requested_by": "a", "confirmed_by": "b"}
            made = facts.Disclosure(**about, **people, kinds=KINDS[:1], cycles=cycles)
            return facts.DisclosureMade(disclosure=made)
        case EntryKind.ENTITLEMENT_GIVEN:
            about["factory_id"] = factory_id if cycles else ""
            return paid.EntitlementGiven(entitlement=paid.Entitlement(**about, cycles=cycles))
        case EntryKind.SHARING_SUSPENDED:
            return SharingSuspended(record_id=record_id, buyer_id=BUYER, factory_id=factory_id)
        case _:
            return facts.BuyerClosed(record_id=BUYER, buyer_id=BUYER)


def _tell(story: Callable[[Country], Awaitable[None]]) -> None:
    """Run a story in a country of its own."""

    async def run(folder: Path) -> None:
        documents, queue = SqliteDocuments(folder / "access.sqlite"), SqliteDocuments(folder / "bus.sqlite")
        relay = Relay(InProcessBus(queue.collection("messages", INDEXES), FAST), scan_every_s=60)
        country = Country(documents, relay)
        await documents.start()
        try:
            await story(country)
        finally:
            await documents.stop()

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name)))


def _play(*steps: Step) -> None:
    async def story(country: Country) -> None:
        for step in steps:
            await country.do(step)
        for name in country.clients:
            await country.do_sync(name, 2)

    _tell(story)


PARTNER: Step = ("begin", EntryKind.ENTITLEMENT_GIVEN, ("f1", (0, None), ()))
SHARED: tuple[Step, ...] = (
    PARTNER,
    ("begin", EntryKind.GRANT_GIVEN, ("f1", (0, None), (1,))),
    ("begin", EntryKind.GRANT_GIVEN, ("f2", (0, 4), ())),
    *(("publish", document_id, None) for document_id in ("d1", "d2", "d4")),
)


@pytest.mark.timeout(300)
@settings(max_examples=50)
@given(st.lists(STEP, min_size=4, max_size=30))
def test_a_client_that_applies_the_feed_holds_what_it_may_see(steps: list[Step]) -> None:
    _play(*SHARED, *steps)


def test_a_grant_that_ended_by_date_between_two_syncs_is_a_withdrawal() -> None:
    grant = ("begin", EntryKind.GRANT_GIVEN, ("f1", (0, 1), ()))
    _play(PARTNER, grant, ("publish", "d2", None), ("sync", "keen", 1), ("wait", 3, None), ("sync", "keen", 1))


def test_what_is_released_after_the_right_ended_is_never_told() -> None:
    grant = ("begin", EntryKind.GRANT_GIVEN, ("f1", (0, None), ()))
    _play(PARTNER, grant, ("sync", "keen", 1), ("end", 1, None), ("publish", "d2", None), ("sync", "keen", 1))


def test_what_a_late_page_left_out_is_told_once_it_may_be_seen_again() -> None:
    page: Step = ("page", "keen", 1)
    again = ("begin", EntryKind.GRANT_GIVEN, ("f1", (0, None), (1,)))
    _play(*SHARED, page, ("end", 1, None), page, again, ("sync", "keen", 1))


@pytest.mark.parametrize("window", [(400, 5), (-20, 5)], ids=["of next year", "of last month"])
@pytest.mark.parametrize("days", [0, 402, 500, -18, 1_000_000, -700_000])
def test_a_point_that_a_client_made_up_shows_nothing_that_was_never_seen(
    window: tuple[int, int | None], days: int
) -> None:
    """The grant was never in force while it stood, whatever day a client claims to be, or to have been, at."""

    async def story(country: Country) -> None:
        await country.do(("publish", "d2", None))
        await country.do(("wait", 30, None))
        await country.do(("begin", EntryKind.ENTITLEMENT_GIVEN, ("f1", (-60, None), ())))
        await country.do(("begin", EntryKind.GRANT_GIVEN, ("f1", window, ())))
        given = (await country.ledger.current()).after(0, limit=9)[-1]
        await country.do(("end", 1, None))
        made_up = [1, given.epoch, given.hash, (country.today + timedelta(days=days)).isoformat()]
        client = country.clients["keen"]
        client.since = _encoded([1, made_up])
        await country.do_sync("keen", 5)
        for since in ([1, given.epoch, given.hash, country.today.isoformat()], made_up):
            client.cursor = _encoded([1, since, made_up, ""])
            await country.do_sync("keen", 5)

    _tell(story)


def _encoded(content: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")
