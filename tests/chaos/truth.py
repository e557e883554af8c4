"""What is shared for certain and what is withdrawn for certain, and the judge of everything that buyers are shown."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from tests.chaos.papers import FACTORIES

BUYERS: Final = tuple(f"b{number}" for number in range(1, 5))
MOST_FAULTS: Final = 50


class Pair(msgspec.Struct):
    """A buyer and a factory, times on the machine's monotonic clock.

    ``closed_at`` is when the last withdrawal was confirmed, ``None`` from the moment a new grant is asked for.
    ``given_at`` is when the grant was confirmed, ``None`` from the moment its withdrawal is asked for.
    """

    buyer: str
    factory: str
    closed_at: float | None
    given_at: float | None = None
    turn: int = 0

    def opening(self) -> None:
        """A grant is about to be asked for."""
        self.closed_at = None
        self.turn += 1

    def given(self) -> None:
        """The grant was confirmed."""
        self.given_at = time.monotonic()

    def closing(self) -> None:
        """The withdrawal is about to be asked for."""
        self.given_at = None

    def closed(self, at: float) -> None:
        """The withdrawal was confirmed."""
        self.closed_at = at


class Judge:
    """Knows every pair, judges what is shown and what is refused, and counts."""

    def __init__(self, *, lease_s: float) -> None:
        began = time.monotonic()
        self.tempted = 0
        self.pairs = {(buyer, factory): Pair(buyer, factory, began) for buyer in BUYERS for factory in FACTORIES}
        self.lease_s = lease_s
        self.reads: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.granted: Counter[str] = Counter()
        self.expected: Counter[str] = Counter()
        self.stale: Counter[str] = Counter()
        self.faults: list[str] = []

    def is_stale(self, buyer: str, factory: str, path: str, at: float) -> bool:
        """Whether what was asked for, or made, at a moment must not be shown; noted as a fault."""
        pair = self.pairs[buyer, factory]
        if pair.closed_at is None or at <= pair.closed_at:
            return False
        late_ms = (at - pair.closed_at) * 1e3
        self.fault(f"{buyer} was shown {path} of {factory} {late_ms:.1f} ms after the withdrawal was confirmed")
        return True

    def is_recently_closed(self, buyer: str, factories: Iterable[str]) -> bool:
        """Whether something of these was withdrawn less than a lease ago and not given again."""
        since = time.monotonic() - self.lease_s
        return any((self.pairs[buyer, factory].closed_at or 0.0) > since for factory in factories)

    def settled(self, buyer: str, factories: Iterable[str]) -> list[tuple[Pair, int]]:
        """The pairs of which every gateway that may decide at all must know by now that they are open."""
        known_by = time.monotonic() - self.lease_s
        pairs = (self.pairs[buyer, factory] for factory in factories)
        return [(pair, pair.turn) for pair in pairs if pair.given_at is not None and pair.given_at < known_by]

    def hidden(self, pair: Pair, turn: int, path: str) -> None:
        """Something was not shown although it was shared for longer than a lease when it was asked for."""
        if pair.turn == turn and pair.given_at is not None:
            self.fault(f"{pair.buyer} was not shown {path} of {pair.factory}, shared for more than a lease")

    def fault(self, text: str) -> None:
        """Something was seen that must never be."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(text)
