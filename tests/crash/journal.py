"""What was acknowledged while the workload ran, in order, and what was seen that must never be."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

import msgspec


class FactoryRegistered(msgspec.Struct, frozen=True):
    """A factory was registered."""

    factory_id: str
    name: str


class BuyerRegistered(msgspec.Struct, frozen=True):
    """A buyer was registered."""

    buyer_id: str
    name: str


class QuestionnairePublished(msgspec.Struct, frozen=True):
    """A questionnaire was published."""

    questionnaire_id: str


class VisitScheduled(msgspec.Struct, frozen=True):
    """A visit was scheduled."""

    visit_id: str
    factory_id: str
    cycle: int


class Answered(msgspec.Struct, frozen=True):
    """An advisor's answer was recorded."""

    visit_id: str
    by: str
    question_id: str
    value: object
    answered_at: datetime


class EvidenceKept(msgspec.Struct, frozen=True):
    """A photo was stored."""

    visit_id: str
    evidence_id: str
    sha256: str


class VisitFinalised(msgspec.Struct, frozen=True):
    """A visit was finalised."""

    visit_id: str


class LineReported(msgspec.Struct, frozen=True):
    """A factory's word on a line of its plan was taken."""

    visit_id: str
    line_id: str
    status: str
    action: str


class ReportReleased(msgspec.Struct, frozen=True):
    """A report was released."""

    visit_id: str
    report_id: str


class Granted(msgspec.Struct, frozen=True):
    """A factory approved a buyer."""

    grant_id: str
    factory_id: str
    buyer_id: str


class Revoked(msgspec.Struct, frozen=True):
    """A factory withdrew an approval."""

    grant_id: str
    factory_id: str
    buyer_id: str


Fact = (
    FactoryRegistered
    | BuyerRegistered
    | QuestionnairePublished
    | VisitScheduled
    | Answered
    | EvidenceKept
    | VisitFinalised
    | LineReported
    | ReportReleased
    | Granted
    | Revoked
)
POLL_S = 0.002
F = TypeVar("F", bound=msgspec.Struct)


class Journal:
    """The facts in the order of their acknowledgement, the faults, and figures."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.faults: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.requests = 0
        self.attempts = 0
        self.unanswered = 0
        self.lost_answers = 0
        self.granted_reads = 0
        self.refused_reads = 0
        self.files_too_many = 0
        self.events = 0
        self.repeated_events = 0
        self.slowest_s = 0.0
        self.slowest = ""
        self._open: Counter[tuple[str, str]] = Counter()
        self._turns: Counter[tuple[str, str]] = Counter()

    def note(self, fact: Fact) -> None:
        """Something was acknowledged."""
        self.facts.append(fact)
        if isinstance(fact, Revoked):
            self._open[fact.factory_id, fact.buyer_id] -= 1

    async def until_next(self, kind: type[msgspec.Struct], *, within_s: float) -> None:
        """Wait until the next fact of a kind is acknowledged, or until the time is up."""
        count = len(self.of(kind))
        for _ in range(int(within_s / POLL_S)):
            if len(self.of(kind)) > count:
                return
            await asyncio.sleep(POLL_S)

    def grants_now(self, factory_id: str, buyer_id: str) -> None:
        """A grant is about to be asked for: from here on the buyer may be let in."""
        self._open[factory_id, buyer_id] += 1
        self._turns[factory_id, buyer_id] += 1

    def closed_turn(self, factory_id: str, buyer_id: str) -> int | None:
        """A number while every grant of the pair is revoked for certain, another one each time; else ``None``."""
        pair = factory_id, buyer_id
        return None if self._open[pair] else self._turns[pair]

    def fault(self, text: str) -> None:
        """Something was seen that must never be."""
        self.faults.append(text)

    def timed(self, what: str, seconds: float) -> None:
        """Remember the slowest attempt."""
        if seconds > self.slowest_s:
            self.slowest_s, self.slowest = seconds, what

    def of(self, kind: type[F]) -> list[F]:
        """The acknowledged facts of one kind, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def figures(self) -> Iterator[str]:
        """What there is to tell."""
        kinds = Counter(type(fact).__name__ for fact in self.facts)
        yield f"{self.requests} requests answered in {self.attempts} attempts, {self.unanswered} without an answer"
        yield f"{self.lost_answers} answers lost on the way and asked for again"
        yield f"statuses {dict(sorted(self.statuses.items()))}"
        yield f"acknowledged {dict(kinds)}"
        yield f"buyers' reads: {self.granted_reads} granted, {self.refused_reads} refused"
        yield f"{self.events} events heard, {self.repeated_events} of them repetitions"
        yield f"{self.files_too_many} files that no document names"
        yield f"slowest attempt {self.slowest_s:.1f} s ({self.slowest})"
