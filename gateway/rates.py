"""How often somebody may ask: token buckets in memory, one per caller, each gateway for itself.

The headers are those of the IETF draft "RateLimit header fields for HTTP" (revision 10).
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.upstream import Headers

MOST_CALLERS: Final = 10_000
"""So many buckets are kept; the one that was not used for the longest time makes room: it has filled up again."""


class Quota(msgspec.Struct, frozen=True):
    """What is left: whole requests now, and the seconds until one more, or until all of them."""

    is_granted: bool
    left: int
    one_more_s: float
    full_s: float


class Bucket:
    """Holds up to ``burst`` requests and gains ``per_s`` of them a second. Times are seconds on any one clock."""

    __slots__ = ("_at", "_held")

    def __init__(self, held: float, at: float) -> None:
        self._held = held
        self._at = at

    def take(self, now: float, *, per_s: float, burst: float) -> Quota:
        """Take a request out, if there is one."""
        self._held = min(burst, self._held + max(0.0, now - self._at) * per_s)
        self._at = max(self._at, now)
        is_granted = self._held >= 1
        if is_granted:
            self._held -= 1
        one_more_s = max(0.0, 1 - self._held) / per_s
        return Quota(is_granted, math.floor(self._held), one_more_s, (burst - self._held) / per_s)


class Rates:
    """The buckets of one policy by caller; ``per_s=0`` sets no limit. ``clock`` is monotonic, in seconds."""

    def __init__(self, name: str, *, per_s: float, burst: int, clock: Callable[[], float]) -> None:
        self._name = name
        self._per_s = per_s
        self._burst = max(1, burst)
        self._clock = clock
        self._buckets: OrderedDict[object, Bucket] = OrderedDict()
        window = math.ceil(self._burst / per_s) if per_s > 0 else 0
        self._policy = f'"{name}";q={self._burst};w={window}'.encode()

    def take(self, caller: object) -> Quota | None:
        """Count one request; tells what is left, ``None`` without a limit."""
        if self._per_s <= 0:
            return None
        now, bucket = self._clock(), self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = Bucket(self._burst, now)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
        return bucket.take(now, per_s=self._per_s, burst=self._burst)

    def headers(self, quota: Quota) -> Headers:
        """``RateLimit-Policy`` and ``RateLimit``: what is left, and the seconds until all of it is back."""
        state = f'"{self._name}";r={quota.left};t={math.ceil(quota.full_s)}'
        return (b"ratelimit-policy", self._policy), (b"ratelimit", state.encode())

    def __len__(self) -> int:
        return len(self._buckets)
