"""Reads, signed pages and whole exported logs, made by the real functions."""

from datetime import timedelta

from contracts.access import ConsentEntry
from contracts.ledger import LedgerKey
from contracts.reads import Act, Read
from contracts.vocabulary import ReportKind
from services.access.domain.consent.entry import Entry, followed
from services.access.domain.read_export import line_of
from services.access.domain.reading import Head, Page, Tail, head_of, logged
from tests.access.entries import KEY, NEXT_KEY, NOW, a_rotated_ledger

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def a_read(read_id: str = "read-1", **fields: object) -> Read:
    told: dict[str, object] = {
        "id": read_id,
        "at": NOW,
        "act": Act.READ,
        "factory_id": "f1",
        "buyer_id": "b1",
        "subject": "buyer-1",
        "name": "Näherin 東",
        "kinds": (ReportKind.ASSESSMENT,),
        "cycles": (3,),
        "documents": ("report-1",),
        "route": "/api/v1/reports/{report_id}",
        "epoch": 2,
        "grounds": ("g1",),
        "trace_id": TRACE_ID,
    }
    return Read(**{**told, **fields})  # type: ignore[arg-type]


def a_page(tail: Tail, *reads: Read, key: LedgerKey = KEY) -> Page:
    """The next page, with one read unless others are given."""
    shown = tuple(logged(read, ("Due diligence",)) for read in reads or (a_read(f"read-{tail.last + 1}"),))
    return tail.next(f"batch-{tail.number + 1}", shown, at=NOW + timedelta(seconds=tail.number), key=key)


def a_log(*keys: LedgerKey) -> tuple[list[Page], Tail]:
    """A log of a page a key, the second page with two reads."""
    pages: list[Page] = []
    tail = Tail("f1")
    for key in keys:
        reads = (a_read("read-2"), a_read("read-3", act=Act.LISTED, documents=("report-1", "report-2")))
        pages.append(a_page(tail, *(reads if tail.number == 1 else ()), key=key))
        tail = tail.after(pages[-1])
    return pages, tail


def announcements() -> list[Entry]:
    """The announcement of a first and of a second key on a consent ledger."""
    _, entries = a_rotated_ledger()
    return [entries[0], entries[3]]


def a_head(tail: Tail, key: LedgerKey = NEXT_KEY) -> Head:
    return head_of(tail, told_at=NOW).signed(key)


def an_export(pages: list[Page], head: Head, entries: list[Entry] | None = None) -> list[bytes]:
    """The exported log, line by line."""
    keys: list[ConsentEntry | Page | Head] = [
        followed(entry) for entry in (announcements() if entries is None else entries)
    ]
    return [line_of(content) for content in (*keys, *pages, head)]
