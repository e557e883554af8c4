"""Times and their percentiles."""

import statistics
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """The median, the 99th percentile and the longest of some durations, in their unit."""

    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return f"p50 {self.p50:,.1f}  p99 {self.p99:,.1f}  max {self.longest:,.1f}"


def spread(durations: Sequence[float]) -> Spread:
    """The percentiles of at least one duration."""
    ordered = sorted(durations)
    return Spread(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], ordered[-1])


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)
