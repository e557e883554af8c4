"""The read log: of each factory one chain of signed pages, a page the reads of one batch; no I/O, no clock.

A page's ``hash`` is the SHA-256 of its canonical JSON (RFC 8785) without ``hash`` and ``signature``. The signature is
made by the key of the consent ledger, under words of its own; which keys there are the ledger announces.
"""

import hashlib
from datetime import datetime
from typing import Final

import msgspec

from contracts.ledger import GENESIS, LedgerKey, NotGenuine, is_signed
from contracts.reads import Act, Read
from contracts.vocabulary import ReportKind

_PAGE: Final = b"star.read-log.1\n"
_HEAD: Final = b"star.read-log-head.1\n"


class LoggedRead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A read as it stands in the log of its factory, with the ``purposes`` of the grants that it rests on.

    One of a manufacturing group tells its ``group_id`` and an empty ``buyer_id``.

    NOTE: the hash covers every field by its name. A new field needs a default, which is left out of the content.
    """

    id: str
    at: datetime
    act: Act
    buyer_id: str
    subject: str
    name: str
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    documents: tuple[str, ...]
    route: str
    epoch: int
    grounds: tuple[str, ...]
    purposes: tuple[str, ...]
    trace_id: str
    group_id: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Some reads that were put on record together; the first of them is the factory's ``first`` of all.

    NOTE: the hash covers every field by its name. A new field needs a default, which is left out of the content.
    """

    factory_id: str
    number: int
    first: int
    recorded_at: datetime
    batch: str
    previous_hash: str
    reads: tuple[LoggedRead, ...]
    key_id: str
    hash: str = ""
    signature: str = ""

    @property
    def last(self) -> int:
        """The number of the last read."""
        return self.first + len(self.reads) - 1


class Tail(msgspec.Struct, frozen=True):
    """Where the log of a factory ends: the page ``number``, the read ``last``, and who signed there."""

    factory_id: str
    number: int = 0
    last: int = 0
    hash: str = GENESIS
    key_id: str = ""

    def next(self, batch: str, reads: tuple[LoggedRead, ...], *, at: datetime, key: LedgerKey) -> Page:
        """The page that would continue the log, signed."""
        page = Page(
            factory_id=self.factory_id,
            number=self.number + 1,
            first=self.last + 1,
            recorded_at=at,
            batch=batch,
            previous_hash=self.hash,
            reads=reads,
            key_id=key.id,
        )
        found = _hash(page)
        return msgspec.structs.replace(page, hash=found, signature=key.sign(_PAGE, found))

    def after(self, page: Page) -> "Tail":
        """Where the log ends with one more page; raises ``NotGenuine`` for one that is not the very next."""
        place = (self.factory_id, self.number + 1, self.last + 1, self.hash)
        if (page.factory_id, page.number, page.first, page.previous_hash) != place or not page.reads:
            raise NotGenuine(f"Page {page.number} does not continue the log at page {self.number}.")
        if _hash(page) != page.hash:
            raise NotGenuine(f"Page {page.number} does not match its hash.")
        return tail_of(page)


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed statement of how far the log of a factory went; whoever keeps one sees when the log is cut off later.

    ``pages`` and ``reads`` are counts, ``hash`` is that of the last page (zeros before the first).
    """

    factory_id: str
    pages: int
    reads: int
    hash: str
    told_at: datetime
    key_id: str
    signature: str = ""

    def signed(self, key: LedgerKey) -> "Head":
        """The statement with the signature of this key."""
        named = msgspec.structs.replace(self, key_id=key.id)
        return msgspec.structs.replace(named, signature=key.sign(_HEAD, _hash(named)))


def tail_of(page: Page) -> Tail:
    """Where a log ends that ends with this page."""
    return Tail(page.factory_id, page.number, page.last, page.hash, page.key_id)


def head_of(tail: Tail, *, told_at: datetime) -> Head:
    """The statement, unsigned, that a log ends here."""
    return Head(
        factory_id=tail.factory_id, pages=tail.number, reads=tail.last, hash=tail.hash, told_at=told_at, key_id=""
    )


def logged(read: Read, purposes: tuple[str, ...]) -> LoggedRead:
    """A read as it goes into the log of its factory."""
    told = {name: getattr(read, name) for name in LoggedRead.__struct_fields__ if name != "purposes"}
    return LoggedRead(**told, purposes=purposes)


def check_page_signature(page: Page, public_key: str) -> None:
    """Return when this key (hex) signed the page's hash; raises ``NotGenuine``."""
    if not is_signed(_PAGE, page.hash, page.signature, public_key):
        raise NotGenuine(f"The signature of page {page.number} is wrong.")


def check_head_signature(head: Head, public_key: str) -> None:
    """Return when this key (hex) signed the statement; raises ``NotGenuine``."""
    if not is_signed(_HEAD, _hash(head), head.signature, public_key):
        raise NotGenuine("The signature of the head is wrong.")


def spelt(content: msgspec.Struct | dict[str, object]) -> bytes:
    """The one spelling of content without fractions as JSON (RFC 8785): msgspec's own, in a thirtieth of the time."""
    return msgspec.json.encode(content, order="sorted")


def _hash(content: Page | Head) -> str:
    """The hash of everything in a page but its hash and signature, or in a head but its signature."""
    told: dict[str, object] = msgspec.to_builtins(content)
    for name in ("hash", "signature") if isinstance(content, Page) else ("signature",):
        told.pop(name, None)
    return hashlib.sha256(spelt(told)).hexdigest()
