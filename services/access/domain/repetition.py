"""Requests with an ``Idempotency-Key``: who does them, and what whoever comes again is told. Pure; times are given."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from contracts.repetitions import HOURS, Claim, Claimed, Ended, KeptAnswer, Outcome

RUNS_AT_MOST: Final = timedelta(minutes=3)
"""An attempt that is older has no gateway any more: a gateway gives a service up long before."""

REMOVED_WITHIN: Final = timedelta(hours=1)
"""Whoever was to remove it and has not by then, has died."""

KEPT: Final = timedelta(hours=HOURS)


class Stage(StrEnum):
    """How far a request is."""

    RUNNING = "running"
    DONE = "done"
    UNKNOWN = "unknown"
    OVER = "over"
    """It is being removed, by whoever wrote so."""


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was claimed, by its key; ``answer`` is there once it is done."""

    request: str
    attempt: str
    can_run_again: bool
    claimed_at: datetime
    stage: Stage = Stage.RUNNING
    answer: KeptAnswer | None = None

    @property
    def expires_at(self) -> datetime:
        """When it is forgotten."""
        return self.claimed_at + KEPT

    @classmethod
    def of(cls, claim: Claim, now: datetime) -> "Repetition":
        """The request as the first claim makes it."""
        return cls(request=claim.request, attempt=claim.attempt, can_run_again=claim.can_run_again, claimed_at=now)

    def removed(self, now: datetime) -> "Repetition | None":
        """What is written before it is removed; ``None`` while it is kept, or somebody else removes it.

        NOTE: only who wrote this may remove it: a key that is claimed anew just then would be removed as well.
        """
        if now < self.expires_at or (self.stage is Stage.OVER and now < self.expires_at + REMOVED_WITHIN):
            return None
        return msgspec.structs.replace(self, stage=Stage.OVER, answer=None)

    def ended(self, by: Ended) -> "Repetition | None":
        """What the end of an attempt makes of it, ``None`` when it is not (any more) that attempt's to end."""
        if by.attempt != self.attempt or self.stage in {Stage.DONE, Stage.OVER}:
            return None
        stage = Stage.UNKNOWN if by.answer is None else Stage.DONE
        can_run_again = self.can_run_again or not by.was_begun
        return msgspec.structs.replace(self, stage=stage, answer=by.answer, can_run_again=can_run_again)


def claimed(present: Repetition | None, claim: Claim, now: datetime) -> tuple[Claimed, Repetition | None]:
    """What a claim is told, and what is to be written before it is told so (``None``: nothing)."""
    outcome = _outcome(present, claim, now) if present is not None else Outcome.RUN
    if outcome is Outcome.RUN:
        return Claimed(outcome=outcome), Repetition.of(claim, now)
    answer = present.answer if present is not None and outcome is Outcome.REPEAT else None
    return Claimed(outcome=outcome, answer=answer), None


def _outcome(present: Repetition, claim: Claim, now: datetime) -> Outcome:
    """The first rule that holds; without one it is done (again)."""
    is_running = present.stage is Stage.RUNNING
    rules = (
        (present.stage is Stage.OVER, Outcome.RUNNING),
        (now >= present.expires_at, Outcome.RUN),
        (present.request != claim.request, Outcome.REUSED),
        (present.stage is Stage.DONE, Outcome.REPEAT),
        (is_running and present.attempt == claim.attempt, Outcome.RUN),
        (is_running and now < present.claimed_at + RUNS_AT_MOST, Outcome.RUNNING),
        (not present.can_run_again, Outcome.UNKNOWN),
    )
    return next((outcome for holds, outcome in rules if holds), Outcome.RUN)
