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
    """The leases that may be alive; until ``unknown_until`` also some that an earlier process gave."""

    unknown_until: float
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

    def in_the_way(self, epoch: int, *, now: float) -> float | None:
        """When the last lease that has not acknowledged the epoch runs out; ``None`` when none is alive."""
        behind = [lease.ends for lease in self.known.values() if lease.acknowledged < epoch]
        alive = [ends for ends in (*behind, self.unknown_until) if ends > now]
        return max(alive, default=None)
