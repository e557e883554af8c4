"""Saying who does a request with an ``Idempotency-Key``, and keeping what came of it."""

from datetime import datetime

from contracts.repetitions import Claim, Claimed, Ended
from services.access.store.repetitions import Repetitions


async def claim(repetitions: Repetitions, key: str, claim: Claim, *, now: datetime) -> Claimed:
    """Say what a gateway is to do with a request; what it says is durable."""
    return await repetitions.claim(key, claim, now=now)


async def end(repetitions: Repetitions, key: str, ended: Ended, *, now: datetime) -> None:
    """Keep what an attempt ended with."""
    await repetitions.end(key, ended, now=now)
