"""Leases: how long a gateway may go on deciding without news, and whom a revocation has to wait for.

Times are seconds on the monotonic clock of this process, passed in. A gateway counts its lease from the moment it
*sent* its question, this side from the moment it answers: the gateway always believes less.
"""

from collections.abc import Mapping

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """A gateway has applied the ledger up to ``acknowledged`` and may decide until ``ends``."""

    acknowledged: int
    ends: float


class Leases(msgspec.Struct, frozen=True):
    """The leases that may be alive; until ``unknown_until`` also some that an earlier process gave.

    Whoever holds such an unknown lease has heard of nothing behind ``unknown_epoch``, where the ledger ended when
    this process took over: what was given later it cannot show before it asks here and becomes known.
    """

    unknown_until: float
    unknown_epoch: int
    known: Mapping[str, Lease] = {}

    def acknowledged(self, gateway: str, epoch: int) -> "Leases":
        """After a gateway said that it has applied the ledger up to an epoch."""
        lease = self.known.get(gateway)
        if lease is None:
            return self
        return msgspec.structs.replace(self, known={**self.known, gateway: Lease(epoch, lease.ends)})

    def extended(self, gateway: str, epoch: int, *, now: float, lease_s: float) -> "Leases":
        """After a gateway that has applied the ledger up to ``epoch`` was answered; leases that ran out are dropped."""
        live = {name: lease for name, lease in self.known.items() if lease.ends > now}
        ends = now + lease_s
        if gateway in live:
            ends = max(ends, live[gateway].ends)
        return msgspec.structs.replace(self, known={**live, gateway: Lease(epoch, ends)})

    def in_the_way(self, epoch: int, *, given: int, now: float) -> float | None:
        """When the last lease runs out that may still show what epoch ``epoch`` takes back; ``None`` when none is.

        ``given`` is the epoch of what is taken back.
        """
        behind = [lease.ends for lease in self.known.values() if lease.acknowledged < epoch]
        unknown = [self.unknown_until] if given <= self.unknown_epoch else []
        return max((ends for ends in (*behind, *unknown) if ends > now), default=None)
