"""The rules of sharing written down once more, as plainly as can be: every question scans everything ever written."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal

from contracts.vocabulary import ReportKind

Paper = Literal["grant", "disclosure", "entitlement", "suspension", "closing", "membership"]


@dataclass
class Written:
    """Something that was put on paper, and whether it was taken back since.

    An entitlement without a factory is for every factory; no cycles are every cycle; no last day is for ever. Of a
    membership the buyer is the group, which it is for as long as it is not taken back.
    """

    paper: Paper
    id: str
    buyer_id: str
    first_day: date
    last_day: date | None
    factory_id: str = ""
    kinds: Collection[ReportKind] = ()
    cycles: Collection[int] = ()
    is_taken_back: bool = False

    def holds(self, day: date) -> bool:
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)

    def is_about(self, cycle: int) -> bool:
        return len(self.cycles) == 0 or cycle in self.cycles


class Model:
    """Everything that was ever written, in a list."""

    def __init__(self) -> None:
        self.papers: list[Written] = []

    def write(self, paper: Written) -> None:
        self.papers.append(paper)

    def take_back(self, paper_id: str) -> None:
        for paper in self.papers:
            if paper.id == paper_id:
                paper.is_taken_back = True

    def may_see(self, buyer_id: str, factory_id: str, kind: ReportKind, cycle: int, day: date) -> bool:
        """Whether the buyer, this day, sees the factory's documents of this kind and cycle."""
        closed = self._some("closing", buyer_id, "")
        suspended = self._some("suspension", buyer_id, factory_id)
        disclosed = [
            paper
            for paper in self._some("disclosure", buyer_id, factory_id)
            if kind in paper.kinds and paper.is_about(cycle) and paper.holds(day)
        ]
        granted = [
            paper for paper in self._some("grant", buyer_id, factory_id) if kind in paper.kinds and paper.holds(day)
        ]
        paid = [
            paper
            for paper in self._some("entitlement", buyer_id, factory_id) + self._some("entitlement", buyer_id, "")
            if paper.is_about(cycle) and paper.holds(day)
        ]
        if closed:
            return False
        return bool(disclosed) or (not suspended and bool(granted) and bool(paid))

    def has(self, group_id: str, factory_id: str) -> bool:
        """Whether the factory belongs to the group."""
        return bool(self._some("membership", group_id, factory_id))

    def _some(self, paper: Paper, buyer_id: str, factory_id: str) -> list[Written]:
        return [
            each
            for each in self.papers
            if each.paper == paper
            and each.buyer_id == buyer_id
            and each.factory_id == factory_id
            and not each.is_taken_back
        ]
