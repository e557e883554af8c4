"""The signed principal that goes on to the services, used again for a few seconds while nothing of it changes."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from contracts.identity import Principal, Role, Shares
from gateway.replica import Decision
from services.runtime.identity import Signer

AGAIN_S: Final = 5.0
"""A signature is used again for this long: far less than the minute for which a service accepts it."""

MOST_SIGNED: Final = 1_024

_Who = tuple[str, str, frozenset[Role], str, str | None]


class _Signed(msgspec.Struct, frozen=True):
    """A header, when it was signed (wall clock, as a service reads it), and under which decision."""

    header: bytes
    at: float
    epoch: int
    shares: Shares | None


def itself(gateway_id: str, country: str) -> Principal:
    """The gateway as a caller that asks for itself and for nobody else."""
    return Principal(subject=gateway_id, name="gateway", roles=frozenset({Role.GATEWAY}), country=country)


class Signatures:
    """Signs principals for the services; remembers at most ``MOST_SIGNED``."""

    def __init__(self, signer: Signer, *, clock: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._clock = clock
        self._signed: dict[_Who, _Signed] = {}

    def header(self, principal: Principal, decision: Decision | None) -> bytes:
        """The ``Authorization`` header of a caller; with a decision, what may be seen under it goes along."""
        who = (principal.subject, principal.name, principal.roles, principal.country, principal.party_id)
        epoch, shares = (decision.epoch, decision.shares) if decision is not None else (0, None)
        now, found = self._clock(), self._signed.get(who)
        # The very same shares, at the same epoch: an entry on the ledger ends every signature made before it.
        if found is None or found.shares is not shares or found.epoch != epoch or not 0 <= now - found.at < AGAIN_S:
            told = msgspec.structs.replace(principal, user_name="", **_decided(decision))
            found = _Signed(b"Bearer " + self._signer.sign(told).encode(), now, epoch, shares)
            self._signed.pop(who, None)
            if len(self._signed) >= MOST_SIGNED:
                del self._signed[next(iter(self._signed))]
            self._signed[who] = found
        return found.header


def _decided(decision: Decision | None) -> dict[str, Any]:
    """What a service learns of a decision: what is shared with the buyer, or which factories are the group's."""
    if decision is None:
        return {}
    return {"factories": decision.factories} if decision.group_id else {"shares": decision.shares}
