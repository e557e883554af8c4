"""What one buyer could see of the shared documents on the way from one point to another; no I/O, no clock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.access import ConsentEntry, EntryKind
from contracts.visibility import EVERY_FACTORY, Buyer, Cycles, seen
from contracts.vocabulary import ReportKind

_DAY: Final = timedelta(days=1)
_DATED: Final = (EntryKind.GRANT_GIVEN, EntryKind.DISCLOSURE_MADE, EntryKind.ENTITLEMENT_GIVEN)


class SharedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that buyers may see who have the right to: what is known of it outside its own service.

    ``first`` is the number of its first change and ``last`` that of the latest; ``epoch`` and ``day`` tell where the
    ledger was when it was there first, which may be long before the change was heard of.
    """

    kind: ReportKind
    document_id: str
    factory_id: str
    cycle: int
    changed_at: datetime
    first: int
    last: int
    epoch: int
    day: date

    @property
    def key(self) -> str:
        """What it is known by: a plan and its progress have the same id."""
        return key_of(self.kind, self.document_id)


def key_of(kind: ReportKind, document_id: str) -> str:
    """What a shared document is known by."""
    return f"{kind}:{document_id}"


class Point(msgspec.Struct, frozen=True, array_like=True):
    """Up to where something is known: the last change, the last entry of the ledger with its hash, and the day."""

    change: int
    epoch: int
    entry_hash: str
    day: date


class Piece(msgspec.Struct, frozen=True):
    """A stretch of entries and days, both ends included, in which what a buyer sees of a factory stayed the same."""

    first_epoch: int
    last_epoch: int
    first_day: date
    last_day: date
    seen: Mapping[ReportKind, Cycles]

    def shows(self, document: SharedDocument) -> bool:
        """Whether the buyer sees documents of this kind and cycle here."""
        cycles = self.seen.get(document.kind, frozenset())
        return cycles is None or document.cycle in cycles

    def has(self, document: SharedDocument) -> bool:
        """Whether the document was there before this was over."""
        return document.epoch <= self.last_epoch and document.day <= self.last_day


class Sight:
    """What a buyer could see from a point of the ledger to a later one, told from the entries about it.

    NOTE: the points come back from clients, who may have made them up. A day is moved into those on which the ledger
    really was at its entry, so that a made-up point shows nothing that was not seen at some time in between.
    """

    def __init__(
        self, entries: Sequence[ConsentEntry], *, since: Point | None, until: Point, today: date, zone: ZoneInfo
    ) -> None:
        """``entries`` are all those about the buyer, ``today`` is the day in the ``zone`` of the programme."""
        self._days = list(_days(entries, today, zone))
        self._entries = entries
        self._until = (until.epoch, self._real(until.epoch, until.day))
        begins = since or until
        self._heard = begins.change
        self._since = (begins.epoch, min(self._real(begins.epoch, begins.day), self._until[1]))
        self._about: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            self._about.setdefault(entry.factory_id, []).append(number)
        self._pieces: dict[str, list[Piece]] = {}

    def pieces(self, factory_id: str) -> list[Piece]:
        """The stretches of what the buyer sees of a factory, at least one, oldest first."""
        if factory_id not in self._pieces:
            self._pieces[factory_id] = list(self._cut(factory_id, self._since))
        return self._pieces[factory_id]

    @property
    def factories(self) -> frozenset[str]:
        """The factories that any entry speaks of."""
        return frozenset(self._about) - {EVERY_FACTORY}

    def is_seen(self, document: SharedDocument) -> bool:
        """Whether it is seen at the end."""
        return self.pieces(document.factory_id)[-1].shows(document)

    def was_always_seen(self, document: SharedDocument) -> bool:
        """Whether it was seen all the time."""
        return all(piece.shows(document) for piece in self.pieces(document.factory_id))

    def was_ever_seen(self, document: SharedDocument) -> bool:
        """Whether it was there, and seen, at any time; before the beginning too when it was only heard of since."""
        pieces: Iterable[Piece] = self.pieces(document.factory_id)
        if document.first > self._heard:
            epoch = min(document.epoch, self._since[0])
            pieces = self._cut(document.factory_id, (epoch, min(self._real(epoch, document.day), self._since[1])))
        return any(piece.shows(document) and piece.has(document) for piece in pieces)

    def _real(self, epoch: int, day: date) -> date:
        """The day, moved into those on which the ledger was at this entry as far as the buyer is concerned."""
        before = sum(entry.epoch <= epoch for entry in self._entries)
        earliest = self._days[before]
        latest = self._days[before + 1]
        return max(earliest, min(day, latest))

    def _cut(self, factory_id: str, since: tuple[int, date]) -> Iterator[Piece]:
        until = self._until
        buyer = Buyer()
        epoch, day = since
        for number in sorted({*self._about.get(factory_id, ()), *self._about.get(EVERY_FACTORY, ())}):
            entry = self._entries[number]
            if entry.epoch > until[0]:
                break
            if entry.epoch > since[0]:
                written = min(max(self._days[number + 1], day), until[1])
                yield from _days_of(buyer, factory_id, (epoch, entry.epoch - 1), (day, written))
                epoch, day = entry.epoch, written
            buyer.apply(entry)
        yield from _days_of(buyer, factory_id, (epoch, until[0]), (day, until[1]))


def changes(
    documents: Iterable[SharedDocument], sight: Sight, since: Point | None, until: Point
) -> Iterator[tuple[SharedDocument, bool]]:
    """What changed for a buyer, with whether it is seen at the end; of what is not, only what it once could see."""
    for document in documents:
        if document.first > until.change:
            continue
        if sight.is_seen(document):
            if since is None or document.last > since.change or not sight.was_always_seen(document):
                yield document, True
        elif since is not None and sight.was_ever_seen(document):
            yield document, False


def _days(entries: Sequence[ConsentEntry], today: date, zone: ZoneInfo) -> Iterator[date]:
    """The day before all entries, that of each entry, and today; a clock that was put back does not turn them round."""
    last = date.min
    yield last
    for entry in entries:
        if entry.at is not None:
            last = max(last, entry.at.astimezone(zone).date())
        yield last
    yield max(last, today)


def _days_of(buyer: Buyer, factory_id: str, epochs: tuple[int, int], days: tuple[date, date]) -> Iterator[Piece]:
    """The stretches of some days on which nothing was written."""
    first, last = days
    turns = {turn for turn in _turns(buyer, factory_id) if first < turn <= last}
    starts = [first, *sorted(turns)]
    for start, following in pairwise([*starts, last + _DAY]):
        yield Piece(*epochs, start, following - _DAY, seen(buyer, factory_id, start))


def _turns(buyer: Buyer, factory_id: str) -> Iterable[date]:
    """The days on which what stands may begin or cease to hold."""
    for kind in _DATED:
        for entry in (*buyer.of(kind, factory_id), *buyer.of(kind, EVERY_FACTORY)):
            if entry.starts_on is not None:
                yield entry.starts_on
            if entry.ends_on is not None and entry.ends_on < date.max:
                yield entry.ends_on + _DAY
