"""The rules of consent written down once more, as plainly as can be: every question scans the list of all grants."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from contracts.vocabulary import ReportKind


@dataclass
class Given:
    """A grant as the factory gave it, and whether the factory has withdrawn it since."""

    grant_id: str
    factory_id: str
    buyer_id: str
    kinds: Collection[ReportKind]
    first_day: date
    last_day: date | None
    is_revoked: bool = False


class Model:
    """Everything that was ever granted, in a list."""

    def __init__(self) -> None:
        self.grants: list[Given] = []

    def give(self, grant: Given) -> None:
        self.grants.append(grant)

    def revoke(self, grant_id: str) -> None:
        for grant in self.grants:
            if grant.grant_id == grant_id:
                grant.is_revoked = True

    def is_granted(self, buyer_id: str, factory_id: str, kind: ReportKind, day: date) -> bool:
        """Whether one grant, not revoked, is by this factory, to this buyer, for this kind, and holds on this day."""
        for grant in self.grants:
            if grant.is_revoked:
                continue
            if grant.buyer_id != buyer_id or grant.factory_id != factory_id:
                continue
            if kind not in grant.kinds:
                continue
            if day < grant.first_day:
                continue
            if grant.last_day is None or day <= grant.last_day:
                return True
        return False
