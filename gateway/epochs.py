"""``At-Least-Epoch``: a caller that knows of a change waits until this gateway has heard of it."""

import asyncio
import re
from typing import Final

from contracts.errors import Malformed, Refusal
from gateway.replica import Replica

AT_LEAST: Final = b"at-least-epoch"
EPOCH: Final = b"star-epoch"
LONGEST_S: Final = 2.0

_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


class EpochNotReached(Refusal):
    """This gateway has not heard of the epoch that the caller demands."""

    status = 503
    code = "epoch_not_reached"


class Epochs:
    """How far the ledger is known here. Waiting ends after a lease: what is older is not decided by anyway."""

    def __init__(self, replica: Replica, *, lease_s: float) -> None:
        self._replica = replica
        self._longest_s = min(LONGEST_S, lease_s)

    def header(self) -> tuple[bytes, bytes]:
        """The header that tells a buyer how far the ledger was known when it was answered."""
        return EPOCH, str(self._replica.fold.epoch).encode()

    async def wait(self, demanded: str | None) -> None:
        """Return once the demanded epoch is known; raises ``Malformed`` and ``EpochNotReached``."""
        if demanded is None:
            return
        if not _NUMBER.fullmatch(demanded):
            raise Malformed("At-Least-Epoch is the number of an epoch.")
        try:
            async with asyncio.timeout(self._longest_s):
                while self._replica.fold.epoch < int(demanded):
                    await self._replica.news()
        except TimeoutError:
            raise EpochNotReached("This gateway has not heard of that epoch; ask again in a moment.") from None
