"""What a buyer or a group may see: the fold of the ledger, and what decides by it; no I/O, no clock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from contracts.access import ENDS, ConsentEntry, EntryKind, member_digest
from contracts.identity import Shared, Shares
from contracts.ledger import GENESIS
from contracts.vocabulary import ReportKind

EVERY_FACTORY: Final = ""

_BEGINS: Final = frozenset(
    {
        EntryKind.GRANT_GIVEN,
        EntryKind.DISCLOSURE_MADE,
        EntryKind.ENTITLEMENT_GIVEN,
        EntryKind.SHARING_SUSPENDED,
        EntryKind.BUYER_CLOSED,
    }
)


class DoesNotConnect(Exception):
    """The entry does not continue the ledger that was read so far."""


class Buyer:
    """What is on the ledger about one buyer and was not taken back, whatever the days.

    ``standing`` holds by kind of entry, factory and id of the record the entry that began it.
    """

    def __init__(self) -> None:
        self.changed = 0
        self.is_provisioned = False
        self.members: set[str] = set()
        self.standing: dict[EntryKind, dict[str, dict[str, ConsentEntry]]] = {kind: {} for kind in _BEGINS}

    def of(self, kind: EntryKind, factory_id: str) -> Iterable[ConsentEntry]:
        """The standing entries of a kind about a factory."""
        return self.standing[kind].get(factory_id, {}).values()

    def apply(self, entry: ConsentEntry) -> None:
        """Take an entry about this buyer."""
        self.changed = entry.epoch
        match entry.kind:
            case EntryKind.MEMBER_ADMITTED:
                self.is_provisioned = True
                self.members.add(entry.member)
            case EntryKind.MEMBER_LEFT:
                self.members.discard(entry.member)
            case EntryKind.CREDITS_BOUGHT | EntryKind.AGREEMENT_ENDED:
                pass
            case kind if kind in _BEGINS:
                self.standing[kind].setdefault(entry.factory_id, {})[entry.grant_id] = entry
            case kind:
                self._end(self.standing[ENDS[kind]], entry)

    def _end(self, by_factory: dict[str, dict[str, ConsentEntry]], entry: ConsentEntry) -> None:
        records = by_factory.get(entry.factory_id, {})
        records.pop(entry.grant_id, None)
        if not records:  # what was taken back takes no room
            by_factory.pop(entry.factory_id, None)


_NOBODY: Final = Buyer()
_NO_FACTORY: Final[frozenset[str]] = frozenset()


class Fold:
    """What stands on the ledger, by buyer and by group; it changes by ``apply`` only."""

    def __init__(self) -> None:
        self.epoch = 0
        self.hash = GENESIS
        self._buyers: dict[str, Buyer] = {}
        self._groups: dict[str, frozenset[str]] = {}

    def apply(self, entry: ConsentEntry) -> None:
        """Take the next entry; raises ``DoesNotConnect``."""
        if entry.epoch != self.epoch + 1 or entry.previous_hash != self.hash:
            raise DoesNotConnect(f"Epoch {entry.epoch} does not continue epoch {self.epoch}.")
        self.epoch, self.hash = entry.epoch, entry.hash
        match entry.kind:
            case EntryKind.KEY_ANNOUNCED:
                pass
            case EntryKind.GROUP_JOINED:
                self._groups[entry.group_id] = self.owned(entry.group_id) | {entry.factory_id}
            case EntryKind.GROUP_LEFT:
                self._groups[entry.group_id] = self.owned(entry.group_id) - {entry.factory_id}
            case _:
                self._buyers.setdefault(entry.buyer_id, Buyer()).apply(entry)

    def buyer(self, buyer_id: str) -> Buyer:
        """What is on the ledger about a buyer."""
        return self._buyers.get(buyer_id, _NOBODY)

    def owned(self, group_id: str) -> frozenset[str]:
        """The factories that belong to a manufacturing group; the very same set until one joins or leaves."""
        return self._groups.get(group_id, _NO_FACTORY)

    def changed(self, buyer_id: str) -> int:
        """The epoch of the last entry that concerns the buyer."""
        return self.buyer(buyer_id).changed

    def is_member(self, buyer_id: str, subject: str) -> bool:
        """Whether a person may act for a buyer: anybody with its role until the buyer provisions its staff itself."""
        buyer = self.buyer(buyer_id)
        return not buyer.is_provisioned or member_digest(buyer_id, subject) in buyer.members


Cycles = frozenset[int] | None
"""Cycles by number; ``None`` are all of them."""


def may_see(
    fold: Fold, buyer_id: str, factory_id: str, kind: ReportKind, today: date, cycle: int | None = None
) -> bool:
    """Whether the buyer may see the factory's documents of this kind and cycle today, in the programme's time zone.

    Without ``cycle``: whether it may see those of any cycle.
    """
    cycles = seen(fold.buyer(buyer_id), factory_id, today).get(kind, _NO_CYCLE)
    return cycles is None or (cycle in cycles if cycle is not None else bool(cycles))


def seen(buyer: Buyer, factory_id: str, today: date) -> Mapping[ReportKind, Cycles]:
    """What a buyer may see of a factory today: the cycles by kind; everything else asks this, or what it asks."""
    found: dict[ReportKind, Cycles] = {}
    for entry, cycles in _showing(buyer, factory_id, today):
        _add(found, entry.kinds, cycles)
    return found


def grounds(
    buyer: Buyer, factory_id: str, kinds: Iterable[ReportKind], cycles: Iterable[int], today: date
) -> Sequence[ConsentEntry]:
    """The grants and disclosures by which a buyer sees some of these kinds and cycles today, the newest first.

    Without ``cycles``: by which it sees those of any cycle.
    """
    some_kinds, some_cycles = frozenset(kinds), frozenset(cycles)
    found = [
        entry
        for entry, shown in _showing(buyer, factory_id, today)
        if not some_kinds.isdisjoint(entry.kinds)
        and (shown is None or not some_cycles or not some_cycles.isdisjoint(shown))
    ]
    return sorted(found, key=lambda entry: entry.epoch, reverse=True)


def _showing(buyer: Buyer, factory_id: str, today: date) -> Iterator[tuple[ConsentEntry, Cycles]]:
    """The entries that show something of a factory to a buyer today, each with the cycles that it shows.

    This is the rule: a kind is seen when it was disclosed to the buyer, or when the factory granted it, no agreement
    between the two is suspended, and the cycle is paid for. A closed buyer sees nothing.
    """
    if buyer.standing[EntryKind.BUYER_CLOSED]:
        return
    for disclosure in buyer.of(EntryKind.DISCLOSURE_MADE, factory_id):
        if holds(disclosure, today):
            yield disclosure, frozenset(disclosure.cycles) or None
    if factory_id in buyer.standing[EntryKind.SHARING_SUSPENDED]:
        return
    paid = _paid(buyer, factory_id, today)
    if paid is None or paid:
        for grant in buyer.of(EntryKind.GRANT_GIVEN, factory_id):
            if holds(grant, today):
                yield grant, paid


def shares(fold: Fold, buyer_id: str, today: date) -> Shares:
    """Everything that the buyer may see today, by kind: factories, where needed by cycle."""
    buyer = fold.buyer(buyer_id)
    every: dict[ReportKind, set[str]] = {kind: set() for kind in ReportKind}
    by_cycle: dict[ReportKind, dict[int, set[str]]] = {kind: {} for kind in ReportKind}
    factories = (*buyer.standing[EntryKind.GRANT_GIVEN], *buyer.standing[EntryKind.DISCLOSURE_MADE])
    for factory_id in dict.fromkeys(factories):
        for kind, cycles in seen(buyer, factory_id, today).items():
            if cycles is None:
                every[kind].add(factory_id)
            for cycle in cycles or ():
                by_cycle[kind].setdefault(cycle, set()).add(factory_id)
    return {
        kind: Shared(
            frozenset(every[kind]), tuple((cycle, frozenset(found)) for cycle, found in sorted(by_cycle[kind].items()))
        )
        for kind in ReportKind
    }


_NO_CYCLE: Final[frozenset[int]] = frozenset()


def _paid(buyer: Buyer, factory_id: str, today: date) -> Cycles:
    """The cycles of a factory that the buyer has paid for."""
    found: set[int] = set()
    for about in (EVERY_FACTORY, factory_id):
        for entitlement in buyer.of(EntryKind.ENTITLEMENT_GIVEN, about):
            if holds(entitlement, today):
                if not entitlement.cycles:
                    return None
                found.update(entitlement.cycles)
    return frozenset(found)


def _add(found: dict[ReportKind, Cycles], kinds: Iterable[ReportKind], cycles: Cycles) -> None:
    for kind in kinds:
        present = found.get(kind, _NO_CYCLE)
        found[kind] = None if present is None or cycles is None else present | cycles


def holds(entry: ConsentEntry, today: date) -> bool:
    """Whether today is one of the days of an entry, from the first to the last, both included."""
    has_begun = entry.starts_on is not None and entry.starts_on <= today
    return has_begun and not (entry.ends_on is not None and entry.ends_on < today)
