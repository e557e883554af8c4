"""Requests for access: a buyer asks, the factory answers; who may do what when is a table; no I/O, no clock."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from contracts.errors import Malformed, RuleBroken
from contracts.events import Event
from contracts.identifiers import derived_id
from contracts.sharing import (
    AccessRequestAnsweredV1,
    AccessRequestedV1,
    AccessRequestExpiredV1,
    AccessRequestRemindedV1,
    AccessRequestWithdrawnV1,
)
from contracts.vocabulary import ReportKind
from services.access.domain.grant import Approval, Grant

REMINDERS: Final = (timedelta(days=7), timedelta(days=21))
"""How long after it was made a request that waits is brought to mind again."""

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Status(StrEnum):
    """What became of a request."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Move(StrEnum):
    """What can be done with a request."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    SETTLE = "settle"
    """The grant of an acceptance is on the ledger."""
    REOPEN = "reopen"
    """The ledger refused the grant of an acceptance."""


_WAITS: Final = frozenset({Status.PENDING})
MOVES: Final[Mapping[Move, tuple[frozenset[Status], Status]]] = {
    Move.ACCEPT: (_WAITS, Status.ACCEPTED),
    Move.REFUSE: (_WAITS, Status.REFUSED),
    Move.WITHDRAW: (_WAITS, Status.WITHDRAWN),
    Move.EXPIRE: (_WAITS, Status.EXPIRED),
    # Who wrote the grant may come after another one, for whom the ledger refused it.
    Move.SETTLE: (_WAITS | {Status.ACCEPTED}, Status.ACCEPTED),
    Move.REOPEN: (frozenset({Status.ACCEPTED}), Status.PENDING),
}
"""From where each move leads, and where to."""


class RequestOver(RuleBroken):
    """The request was answered, withdrawn, or is over; what became of it stands."""

    code = "request_over"


class WiderThanAsked(Malformed):
    """A factory may accept less than was asked, never more."""

    code = "wider_than_asked"


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """What the factory accepts: everything that was asked, or the narrower kinds and days that are named here."""

    kinds: tuple[ReportKind, ...] | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    approved_by: Approval


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a request ended: by whom (a subject) and when; an ``acceptance`` with the day on which it was given.

    It may have been given on a signed paper (its SHA-256 in hex), or by the manufacturing group ``group_id``.
    """

    by: str
    at: datetime
    reason: str = ""
    acceptance: Acceptance | None = None
    on: date | None = None
    group_id: str = ""
    document_sha256: str = ""

    def says_the_same(self, other: "Answer | None") -> bool:
        """Whether another answer says the same on the same paper, whoever gave it and when."""
        names = ("reason", "acceptance", "document_sha256")
        return other is not None and all(getattr(self, name) == getattr(other, name) for name in names)


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a buyer asks of a factory; without ``starts_on`` from the day of the answer on.

    ``slot`` is what only one waiting request can hold. ``is_settled`` tells that the grant of an accepted one is on
    the ledger, ``reminders`` how many there were.
    """

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date | None = None
    ends_on: date | None = None
    purpose: str
    message: str = ""
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    status: Status = Status.PENDING
    slot: str | None = None
    answer: Answer | None = None
    is_settled: bool = False
    reminders: int = 0

    @property
    def grant_id(self) -> str:
        """The id of the grant that an acceptance gives, so that two acceptances give one."""
        return derived_id("access-request", self.id)

    def made(self, today: date) -> tuple["AccessRequest", Event]:
        """The request as it is kept; raises ``Malformed`` for what no grant could say."""
        draft = Grant(
            id=self.id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            kinds=self.kinds,
            starts_on=self.starts_on or today,
            ends_on=self.ends_on,
            purpose=self.purpose,
        ).checked(today)
        subject = "quality" if ReportKind.QUALITY_PRODUCTIVITY in draft.kinds else "compliance"
        kept = msgspec.structs.replace(self, kinds=draft.kinds, slot=f"{self.buyer_id}:{self.factory_id}:{subject}")
        event = AccessRequestedV1(
            request_id=self.id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            kinds=kept.kinds,
            expires_at=self.expires_at.isoformat(),
        )
        return kept, event

    def status_at(self, now: datetime) -> Status:
        """What became of the request: one that nobody answered in time is over, noted or not."""
        return Status.EXPIRED if self.status is Status.PENDING and now >= self.expires_at else self.status

    def accepted(self, answer: Answer) -> "AccessRequest":
        """The request with the factory's acceptance; the same again changes nothing.

        Raises ``RequestOver``, ``WiderThanAsked`` and ``Malformed``.
        """
        if self.status is Status.ACCEPTED and answer.says_the_same(self.answer):
            return self
        done = self._moved(Move.ACCEPT, self.status_at(answer.at), answer=answer)
        done.grant().checked(answer.on or answer.at.date())
        return done

    def refused(self, answer: Answer) -> tuple["AccessRequest", tuple[Event, ...]]:
        """The request with the factory's refusal; the same again changes nothing; raises ``RequestOver``."""
        if self.status is Status.REFUSED and answer.says_the_same(self.answer):
            return self, ()
        done = self._moved(Move.REFUSE, self.status_at(answer.at), answer=answer, slot=None)
        return done, (self._answered(grant_id=""),)

    def withdrawn(self, *, by: str, now: datetime) -> tuple["AccessRequest", tuple[Event, ...]]:
        """The request, no longer asked; again changes nothing; raises ``RequestOver``."""
        if self.status is Status.WITHDRAWN:
            return self, ()
        done = self._moved(Move.WITHDRAW, self.status_at(now), answer=Answer(by=by, at=now), slot=None)
        event = AccessRequestWithdrawnV1(request_id=self.id, factory_id=self.factory_id, buyer_id=self.buyer_id)
        return done, (event,)

    def settled(self, answer: Answer | None) -> tuple["AccessRequest", tuple[Event, ...]]:
        """The request once the grant of this acceptance is on the ledger, told once; raises ``RequestOver``."""
        if self.is_settled:
            return self, ()
        done = self._moved(Move.SETTLE, self.status, answer=answer, is_settled=True, slot=None)
        return done, (self._answered(grant_id=self.grant_id),)

    def reopened(self) -> "AccessRequest":
        """The request as before an acceptance whose grant the ledger refused; again changes nothing.

        A settled one stays as it is. Raises ``RequestOver``.
        """
        if self.is_settled or self.status is Status.PENDING:
            return self
        return self._moved(Move.REOPEN, self.status, answer=None)

    def swept(self, now: datetime, *, is_idle: bool = False) -> tuple["AccessRequest", tuple[Event, ...]]:
        """The request with what time brought: its end, or the reminder that is due; of several the last.

        Of an idle one, whose factory or buyer does not take part just now, nobody is reminded.
        """
        told = {"request_id": self.id, "factory_id": self.factory_id, "buyer_id": self.buyer_id}
        if self.status is not Status.PENDING:
            return self, ()
        if now >= self.expires_at:
            return self._moved(Move.EXPIRE, self.status, slot=None), (AccessRequestExpiredV1(**told),)
        due = sum(now >= self.asked_at + after for after in REMINDERS)
        if is_idle or due <= self.reminders:
            return self, ()
        event = AccessRequestRemindedV1(reminder=due, expires_at=self.expires_at.isoformat(), **told)
        return msgspec.structs.replace(self, reminders=due), (event,)

    def grant(self) -> Grant:
        """The grant that the acceptance gives; raises ``WiderThanAsked``, and ``RequestOver`` without an acceptance."""
        if self.answer is None or self.answer.acceptance is None or self.answer.on is None:
            raise RequestOver("The request was not accepted.")
        accepted = self.answer.acceptance
        kinds = self.kinds if accepted.kinds is None else accepted.kinds
        starts_on = accepted.starts_on or max(self.starts_on or self.answer.on, self.answer.on)
        ends_on = accepted.ends_on or self.ends_on
        if (
            not set(kinds) <= set(self.kinds)
            or (self.starts_on is not None and starts_on < self.starts_on)
            or (self.ends_on is not None and ends_on is not None and ends_on > self.ends_on)
        ):
            raise WiderThanAsked("More kinds or more days than were asked for cannot be accepted.")
        return Grant(
            id=self.grant_id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            kinds=kinds,
            starts_on=starts_on,
            ends_on=ends_on,
            purpose=self.purpose,
            approved_by=accepted.approved_by,
            request_id=self.id,
            document_sha256=self.answer.document_sha256,
        )

    def _moved(self, move: Move, present: Status, **changes: object) -> "AccessRequest":
        """The request after a move from its present status; raises ``RequestOver`` when ``MOVES`` does not list it."""
        before, after = MOVES[move]
        if present not in before:
            raise RequestOver(f"The request is {present}.")
        return msgspec.structs.replace(self, status=after, **changes)

    def _answered(self, *, grant_id: str) -> Event:
        return AccessRequestAnsweredV1(
            request_id=self.id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            is_accepted=bool(grant_id),
            grant_id=grant_id,
        )
