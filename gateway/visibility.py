"""What a buyer may see: the fold of the consent ledger, and the one function that decides; no I/O, no clock."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from contracts.access import ConsentEntry, EntryKind
from contracts.vocabulary import ReportKind

GENESIS: Final = "0" * 64
Shares = dict[ReportKind, frozenset[str]]


class DoesNotConnect(Exception):
    """The entry does not continue the ledger that was read so far."""


class Fold:
    """The grants in force on paper, by buyer and factory; it changes by ``apply`` only."""

    def __init__(self) -> None:
        self.epoch = 0
        self.hash = GENESIS
        self._grants: dict[str, dict[str, dict[str, ConsentEntry]]] = {}
        self._changed: dict[str, int] = {}

    def apply(self, entry: ConsentEntry) -> None:
        """Take the next entry; raises ``DoesNotConnect``."""
        if entry.epoch != self.epoch + 1 or entry.previous_hash != self.hash:
            raise DoesNotConnect(f"Epoch {entry.epoch} does not continue epoch {self.epoch}.")
        self.epoch, self.hash = entry.epoch, entry.hash
        if entry.kind is EntryKind.KEY_ANNOUNCED:
            return
        grants = self._grants.setdefault(entry.buyer_id, {}).setdefault(entry.factory_id, {})
        match entry.kind:
            case EntryKind.GRANT_GIVEN:
                grants[entry.grant_id] = entry
            case EntryKind.GRANT_REVOKED:
                grants.pop(entry.grant_id, None)
                if not grants:  # what was revoked takes no room
                    del self._grants[entry.buyer_id][entry.factory_id]
        self._changed[entry.buyer_id] = entry.epoch

    def grants(self, buyer_id: str, factory_id: str) -> Mapping[str, ConsentEntry]:
        """What a factory granted a buyer and did not revoke, whatever the days."""
        return self._grants.get(buyer_id, {}).get(factory_id, {})

    def factories(self, buyer_id: str) -> frozenset[str]:
        """The factories with a grant to the buyer that was not revoked."""
        return frozenset(self._grants.get(buyer_id, ()))

    def changed(self, buyer_id: str) -> int:
        """The epoch of the last entry that concerns the buyer."""
        return self._changed.get(buyer_id, 0)


def may_see(fold: Fold, buyer_id: str, factory_id: str, kind: ReportKind, today: date) -> bool:
    """Whether a grant lets the buyer see the factory's reports of this kind today, in the programme's time zone."""
    return any(_covers(grant, kind, today) for grant in fold.grants(buyer_id, factory_id).values())


def shares(fold: Fold, buyer_id: str, today: date) -> Shares:
    """Everything that the buyer may see today: the factories by kind of report."""
    factories = fold.factories(buyer_id)
    return {
        kind: frozenset(factory for factory in factories if may_see(fold, buyer_id, factory, kind, today))
        for kind in ReportKind
    }


def _covers(grant: ConsentEntry, kind: ReportKind, today: date) -> bool:
    has_begun = grant.starts_on is not None and grant.starts_on <= today
    is_over = grant.ends_on is not None and grant.ends_on < today
    return kind in grant.kinds and has_begun and not is_over
