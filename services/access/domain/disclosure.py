"""Disclosures without consent: the one exception to a factory's consent, for zero tolerance, decided by two persons.

One person of the programme asks, another confirms; only then buyers see what is disclosed, for a while, and the factory
is told at once. What was decided stands here; what buyers see, and until when, stands on the ledger alone.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from contracts.errors import Malformed, RuleBroken
from contracts.identifiers import derived_id
from contracts.identity import Role
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.domain.consent.facts import Disclosure
from services.access.domain.text import plain

MOST_DAYS: Final = 90
"""So many days ahead a disclosure ends at the latest; what is needed longer is decided again."""

WAITS: Final = timedelta(hours=24)
"""How long what was asked waits for the second person."""

SHORTEST_REASON: Final = 20


class DisclosureDecided(RuleBroken):
    """It was confirmed, refused or withdrawn before."""

    code = "disclosure_decided"


class DisclosureExpired(RuleBroken):
    """Nobody decided in time; it must be asked for again."""

    code = "disclosure_expired"


class SecondPersonNeeded(RuleBroken):
    """Who asks for a disclosure never decides on it."""

    code = "second_person_needed"


class DisclosureStands(RuleBroken):
    """A factory cannot take back what was disclosed because of zero tolerance."""

    code = "disclosure_stands"


class Decision(StrEnum):
    """What became of a disclosure that was asked for."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


NEXT: Final[Mapping[Decision, frozenset[Decision]]] = {
    Decision.PENDING: frozenset({Decision.CONFIRMED, Decision.REFUSED, Decision.WITHDRAWN}),
    Decision.CONFIRMED: frozenset(),
    Decision.REFUSED: frozenset(),
    Decision.WITHDRAWN: frozenset(),
}
"""The only moves; a confirmed one ends on the ledger."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided, and the role in which: the factory learns the role only."""

    subject: str
    role: Role
    at: datetime


class DisclosureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one person asks to disclose to some buyers until a day, and what another decided.

    ``asked_ms`` is ``asked.at`` in milliseconds since 1970. ``starts_on`` is the day of the confirmation in the
    programme's time zone. ``is_made`` tells that everything is on the ledger.
    """

    id: str
    factory_id: str
    buyer_ids: tuple[str, ...]
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    ends_on: date
    case: str
    reason: str
    asked: Person
    asked_ms: int
    decision: Decision = Decision.PENDING
    decided: Person | None = None
    refusal_reason: str = ""
    starts_on: date | None = None
    is_made: bool = False

    def checked(self, today: date) -> "DisclosureRequest":
        """The request in plain text and in order; raises ``Malformed`` for what must not be disclosed so."""
        reason = plain(self.reason, "reason")
        if len(reason) < SHORTEST_REASON:
            raise Malformed(f"The reason needs {SHORTEST_REASON} characters or more.")
        if not self.buyer_ids or not self.kinds:
            raise Malformed("A disclosure names at least one buyer and one kind of report.")
        if set(self.kinds) - set(COMPLIANCE_KINDS):
            raise Malformed("Business figures have nothing to do with zero tolerance.")
        if not today <= self.ends_on <= today + timedelta(days=MOST_DAYS):
            raise Malformed(f"A disclosure ends within {MOST_DAYS} days.")
        return msgspec.structs.replace(
            self,
            buyer_ids=tuple(sorted(set(self.buyer_ids))),
            kinds=tuple(sorted(set(self.kinds))),
            cycles=tuple(sorted(set(self.cycles))),
            case=plain(self.case, "case"),
            reason=reason,
        )

    def is_expired(self, now: datetime) -> bool:
        """Whether nobody decided in time."""
        return self.decision is Decision.PENDING and now >= self.asked.at + WAITS

    def confirmed(self, by: Person, today: date) -> "DisclosureRequest":
        """As the second person confirmed it; again changes nothing.

        Raises ``SecondPersonNeeded``, ``DisclosureExpired`` and ``DisclosureDecided``.
        """
        self._demand_second(by)
        if self.decision is Decision.CONFIRMED:
            return self
        if self.decision is Decision.PENDING and today > self.ends_on:
            raise DisclosureExpired("The last day of the disclosure is over.")
        return self._moved(Decision.CONFIRMED, by, starts_on=today)

    def refused(self, by: Person, reason: str) -> "DisclosureRequest":
        """As the second person refused it; again changes nothing; raises as ``confirmed`` does, and ``Malformed``."""
        self._demand_second(by)
        if self.decision is Decision.REFUSED:
            return self
        return self._moved(Decision.REFUSED, by, refusal_reason=plain(reason, "reason"))

    def withdrawn(self, by: Person) -> "DisclosureRequest":
        """No longer asked for, by whomever; what was decided stays as it is."""
        if self.decision is not Decision.PENDING:
            return self
        return msgspec.structs.replace(self, decision=Decision.WITHDRAWN, decided=by)

    def made(self) -> "DisclosureRequest":
        """As it is once everything is on the ledger."""
        return msgspec.structs.replace(self, is_made=True)

    @property
    def record_ids(self) -> dict[str, str]:
        """By buyer the id of its record on the ledger, the same whoever writes it."""
        return {buyer_id: record_id(self.id, buyer_id) for buyer_id in self.buyer_ids}

    def disclosures(self) -> list[Disclosure]:
        """What goes on the ledger, one record for each buyer; nothing unless it was confirmed."""
        if self.decision is not Decision.CONFIRMED or self.decided is None or self.starts_on is None:
            return []
        return [
            Disclosure(
                id=own_id,
                disclosure_id=self.id,
                factory_id=self.factory_id,
                buyer_id=buyer_id,
                kinds=self.kinds,
                cycles=self.cycles,
                starts_on=self.starts_on,
                ends_on=self.ends_on,
                reason=self.reason,
                case=self.case,
                requested_by=self.asked.subject,
                requested_as=self.asked.role,
                confirmed_by=self.decided.subject,
                confirmed_as=self.decided.role,
            )
            for buyer_id, own_id in self.record_ids.items()
        ]

    def _demand_second(self, by: Person) -> None:
        if by.subject == self.asked.subject:
            raise SecondPersonNeeded("Somebody else than who asked for the disclosure decides on it.")

    def _moved(self, decision: Decision, by: Person, **changes: object) -> "DisclosureRequest":
        if decision not in NEXT[self.decision]:
            raise DisclosureDecided(f"The disclosure is {self.decision}.")
        if self.is_expired(by.at):
            raise DisclosureExpired("Nobody decided within a day; it must be asked for again.")
        return msgspec.structs.replace(self, decision=decision, decided=by, **changes)


def record_id(disclosure_id: str, buyer_id: str) -> str:
    """The id on the ledger of what is disclosed to one buyer."""
    return derived_id("disclosure", disclosure_id, buyer_id)
