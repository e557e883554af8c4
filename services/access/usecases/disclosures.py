"""Disclosing without consent: one asks, another confirms, and then it goes on the ledger, whatever breaks.

The confirmation is durable before the first entry. Whoever comes by later, a repetition, an end or the sweep, writes
the entries that a crash left out: their ids follow from the disclosure, so that each is written once.
"""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.access import EntryKind
from contracts.errors import NotFound
from contracts.identity import Principal, Role
from contracts.permissions import PERMISSIONS, Permission, may, scope_for
from services.access.domain.consent.endings import standing
from services.access.domain.consent.facts import Disclosure, DisclosureEnded, DisclosureMade
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.disclosure import DisclosureRequest, DisclosureStands, Person
from services.access.store.disclosures import Disclosures
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable
from services.access.usecases.grants import EVERYWHERE, Parties

PAGE: Final = 100


class Disclosing:
    """The disclosures of a country on their way to the ledger, and off it."""

    def __init__(
        self, disclosures: Disclosures, parties: Parties, ledger: Ledger, consent: Consent, *, zone: ZoneInfo
    ) -> None:
        """Days are counted in ``zone``."""
        self._disclosures = disclosures
        self._parties = parties
        self._ledger = ledger
        self._consent = consent
        self._zone = zone

    async def ask(
        self, principal: Principal, request: DisclosureRequest, *, body: object, now: datetime
    ) -> DisclosureRequest:
        """Ask for a disclosure; nothing is shown yet. The same id and body by the same person change nothing.

        Raises ``NotFound`` for an unknown party, ``Malformed``, and ``Conflict`` when the id is taken.
        """
        await self._parties.factories.get(request.factory_id, EVERYWHERE)
        for buyer_id in request.buyer_ids:
            await self._parties.grantee(buyer_id)
        kept = request.checked(self._today(now))
        await self._disclosures.add(kept, body=(principal.subject, body))
        return await self._disclosures.get(request.id, scope_for(principal, Permission.DISCLOSURE_REQUEST))

    async def confirm(self, principal: Principal, disclosure_id: str, *, now: datetime) -> DisclosureRequest:
        """Confirm what somebody else asked for; everything is on the ledger when this returns.

        Raises ``NotFound`` and what ``DisclosureRequest.confirmed`` refuses.
        """
        by = person(principal, Permission.DISCLOSURE_CONFIRM, now)
        today = self._today(now)

        async def write() -> DisclosureRequest:
            request = await self._disclosures.change(disclosure_id, lambda present: present.confirmed(by, today))
            return await self._finish(request, now=now)

        await self._disclosures.get(disclosure_id, scope_for(principal, Permission.DISCLOSURE_CONFIRM))
        return await durable(write())

    async def refuse(
        self, principal: Principal, disclosure_id: str, reason: str, *, now: datetime
    ) -> DisclosureRequest:
        """Refuse what somebody else asked for; raises ``NotFound`` and what ``DisclosureRequest.refused`` refuses."""
        by = person(principal, Permission.DISCLOSURE_CONFIRM, now)
        await self._disclosures.get(disclosure_id, scope_for(principal, Permission.DISCLOSURE_CONFIRM))
        return await self._disclosures.change(disclosure_id, lambda present: present.refused(by, reason))

    async def end(self, principal: Principal, disclosure_id: str, *, now: datetime) -> None:
        """Withdraw what waits, or end what was disclosed and return once that is in force at every gateway.

        One person is enough to show less. Raises ``NotFound``, and ``DisclosureStands`` for the factory.
        """
        await self._disclosures.get(disclosure_id, scope_for(principal, Permission.DISCLOSURE_END))
        if not may(principal, Permission.DISCLOSURE_REQUEST):
            raise DisclosureStands("What was disclosed because of zero tolerance, the programme alone ends.")
        by = person(principal, Permission.DISCLOSURE_REQUEST, now)

        async def write() -> list[Record]:
            request = await self._disclosures.change(disclosure_id, lambda present: present.withdrawn(by))
            # First all that is still to be made: nothing can be made of it any more once it has ended.
            await self._finish(request, now=now)
            return [await self._end(made, by=principal.subject, now=now) for made in request.disclosures()]

        ended = await durable(write())
        if ended:
            given = min(record.epoch for record in ended)
            await self._consent.in_force(max(record.ended_epoch or 0 for record in ended), given=given)

    async def sweep(self, *, now: datetime) -> None:
        """Bring everything on the ledger that was confirmed and is not there."""
        for request in await self._disclosures.unfinished(EVERYWHERE, limit=PAGE):
            await self._finish(request, now=now)

    async def _finish(self, request: DisclosureRequest, *, now: datetime) -> DisclosureRequest:
        """Write the entries that are missing, then note that none is."""
        disclosures = request.disclosures()
        if not disclosures or request.is_made:
            return request
        for disclosure in disclosures:
            await self._make(disclosure, now=now)
        return await self._disclosures.change(request.id, DisclosureRequest.made)

    async def _make(self, disclosure: Disclosure, *, now: datetime) -> None:
        def decide(fold: Fold) -> DisclosureMade | None:
            present = fold.record(disclosure.id, EntryKind.DISCLOSURE_MADE)
            return DisclosureMade(disclosure=disclosure) if present is None else None

        await self._ledger.append(decide, by=disclosure.confirmed_by, at=now)

    async def _end(self, disclosure: Disclosure, *, by: str, now: datetime) -> Record:
        """End what is disclosed to one buyer; tell the record as it ended, now or before."""

        def decide(fold: Fold) -> DisclosureEnded | None:
            record = standing(fold, EntryKind.DISCLOSURE_MADE, disclosure.id)
            about = {"factory_id": disclosure.factory_id, "buyer_id": disclosure.buyer_id}
            return DisclosureEnded(record_id=disclosure.id, **about) if record is not None else None

        fold = await self._ledger.append(decide, by=by, at=now)
        record = fold.record(disclosure.id, EntryKind.DISCLOSURE_MADE)
        if record is None:
            raise NotFound("There is no such disclosure.")
        return record

    def _today(self, now: datetime) -> date:
        return now.astimezone(self._zone).date()


def person(principal: Principal, permission: Permission, now: datetime) -> Person:
    """The caller in the first of its roles that allows the act; raises ``NotFound`` when none does."""
    role = next((role for role in Role if role in principal.roles and permission in PERMISSIONS[role]), None)
    if role is None:
        raise NotFound("There is no such disclosure.")
    return Person(subject=principal.subject, role=role, at=now)
