"""The exported read log of a factory, and checking one offline: keys, pages, head, a line each; no I/O.

The announcements of the keys come first, as they stand on the consent ledger, then every page in its order, last the
head as it was told when the export began: so an end that was cut off shows, and with a head that was noted before also
that an older export was handed out.

A key that was replaced is worth nothing here: the head, which vouches for every page, must be signed by the last key
that the export announces. That the announcement of a later key was left out, only the ledger shows, or who knows which
key is valid now.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
import rfc8785

from contracts.access import ConsentEntry, EntryKind
from contracts.ledger import Chain, NotGenuine
from services.access.domain.reading import Head, Page, Tail, check_head_signature, check_page_signature, spelt

LATEST_USE: Final = timedelta(minutes=1)
"""How long behind the announcement of the next key a page may say that it was recorded.

A process finds out about the next key within a second (``services.access.store.reads``); the clocks of two differ.
"""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of an export: exactly one of the three."""

    key: ConsentEntry | None = None
    page: Page | None = None
    head: Head | None = None


class Keys(msgspec.Struct, frozen=True):
    """The announced keys in their order with their ids and their announcements, and which of them was last in use.

    ``public`` are the keys (hex), ``since`` when they were announced, ``noted`` the hashes of that by epoch.
    """

    chain: Chain
    public: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    since: tuple[datetime, ...] = ()
    noted: Mapping[int, str] = {}
    used: int = 0

    def announced(self, entry: ConsentEntry) -> "Keys":
        """With one more; raises ``NotGenuine``."""
        if entry.kind is not EntryKind.KEY_ANNOUNCED or entry.at is None:
            raise NotGenuine(f"Epoch {entry.epoch} announces no key, or not when.")
        try:
            chain = self.chain.later(entry)
        except rfc8785.CanonicalizationError as error:
            raise NotGenuine(f"Epoch {entry.epoch} cannot be read.") from error
        (added,) = chain.announced - self.chain.announced
        return msgspec.structs.replace(
            self,
            chain=chain,
            public=(*self.public, entry.public_key),
            ids=(*self.ids, added),
            since=(*self.since, entry.at),
            noted={**self.noted, entry.epoch: entry.hash},
        )

    def at_use(self, key_id: str, at: datetime) -> tuple["Keys", str]:
        """The keys once this one is in use, from when on no earlier one is, and its public half.

        Raises ``NotGenuine``, also when ``at`` lies behind the announcement of the next key.
        """
        if key_id not in self.ids[self.used :]:
            raise NotGenuine("Something is signed by a key that was not announced, or was replaced before.")
        used = self.ids.index(key_id)
        if any(at > replaced + LATEST_USE for replaced in self.since[used + 1 : used + 2]):
            raise NotGenuine(f"Something of {at.isoformat()} is signed by a key that was replaced before.")
        return msgspec.structs.replace(self, used=used), self.public[used]


class Verified(msgspec.Struct, frozen=True):
    """What a genuine export says of itself.

    ``anchor`` is the fingerprint of the first key, ``announced`` are the hashes of the announcements by their epochs.
    """

    anchor: str
    announced: Mapping[int, str]
    head: Head

    @property
    def keys(self) -> int:
        """How many keys signed in turn."""
        return len(self.announced)


def line_of(content: ConsentEntry | Page | Head) -> bytes:
    """The line of an announcement, a page or the head."""
    match content:
        case ConsentEntry():
            line = Line(key=content)
        case Page():
            line = Line(page=content)
        case Head():
            line = Line(head=content)
    return spelt(line) + b"\n"


def verified_log(
    lines: Iterable[bytes],
    *,
    anchor: str = "",
    key: str = "",
    noted: Mapping[int, str] | None = None,
    earlier: Head | None = None,
) -> Verified:
    """Check the lines of an exported read log, in constant memory, and tell its head; raises ``NotGenuine``.

    ``key`` is the fingerprint of the key that is valid now, when it is known. ``noted`` are hashes by the number of
    their page, ``earlier`` a head that was told before: the log must hold both.
    """
    keys, tail, head = Keys(Chain(anchor)), Tail(""), None
    wanted = _wanted(noted or {}, earlier)
    for number, line in enumerate(lines, start=1):
        read = _read(line, number)
        if head is not None or (read.key is not None and tail.number):
            raise NotGenuine(f"Line {number} is out of its place.")
        if read.key is not None:
            keys = keys.announced(read.key)
        if read.page is not None:
            keys, tail = _turned(keys, tail if tail.number else Tail(read.page.factory_id), read.page)
            if wanted.pop(tail.number, tail.hash) != tail.hash:
                raise NotGenuine(f"Page {tail.number} is not the one that was noted.")
        head = read.head
    if head is None:
        raise NotGenuine(f"There is no head behind page {tail.number}: the end was cut off.")
    if wanted:
        raise NotGenuine(f"The log ends at page {tail.number}, and page {max(wanted)} was noted: it was cut off.")
    _check_signer(keys, head, key)
    _check_head(keys, tail, head, earlier)
    return Verified(keys.chain.anchor, keys.noted, head)


def _wanted(noted: Mapping[int, str], earlier: Head | None) -> dict[int, str]:
    """The hashes that the log must hold, by page; raises ``NotGenuine`` when the two tell different ones."""
    wanted = dict(noted)
    if earlier is not None and wanted.setdefault(earlier.pages, earlier.hash) != earlier.hash:
        raise NotGenuine(f"Page {earlier.pages} that was noted is not that of the head that was told before.")
    wanted.pop(0, None)  # before the first page there is none
    return wanted


def _turned(keys: Keys, tail: Tail, page: Page) -> tuple[Keys, Tail]:
    """The keys and the tail behind one more page; raises ``NotGenuine``."""
    keys, public = keys.at_use(page.key_id, page.recorded_at)
    tail = tail.after(page)
    check_page_signature(page, public)
    return keys, tail


def _check_signer(keys: Keys, head: Head, key: str) -> None:
    """Return when the head names the last key that was announced, and the one that is valid now when it is told.

    Raises ``NotGenuine``.
    """
    if head.key_id not in keys.ids[-1:]:
        raise NotGenuine("The head is signed by a key that was not announced, or was replaced before.")
    if key not in {"", head.key_id}:
        raise NotGenuine(f"The head is signed by the key {head.key_id}, not by the one that is valid now.")


def _check_head(keys: Keys, tail: Tail, head: Head, earlier: Head | None) -> None:
    """Return when the head is that of the log, and an earlier one of the same log; raises ``NotGenuine``."""
    _, public = keys.at_use(head.key_id, head.told_at)
    check_head_signature(head, public)
    factory_id = tail.factory_id or head.factory_id
    if (head.factory_id, head.pages, head.reads, head.hash) != (factory_id, tail.number, tail.last, tail.hash):
        raise NotGenuine(f"The head is not that of a log that ends at page {tail.number}.")
    if earlier is None:
        return
    if earlier.factory_id != head.factory_id:
        raise NotGenuine("The head that was noted is that of another factory's log.")
    _, public = msgspec.structs.replace(keys, used=0).at_use(earlier.key_id, earlier.told_at)
    check_head_signature(earlier, public)


def _read(line: bytes, number: int) -> Line:
    """A line that is spelt as it was written; raises ``NotGenuine``."""
    try:
        read = msgspec.json.decode(line, type=Line)
        told = [part for part in (read.key, read.page, read.head) if part is not None]
        is_exact = len(told) == 1 and line_of(told[0]) == line
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise NotGenuine(f"Line {number} cannot be read.") from error
    if not is_exact:
        raise NotGenuine(f"Line {number} is not spelt as it was written.")
    return read
