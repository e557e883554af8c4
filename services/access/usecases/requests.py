"""Asking for access and answering: what the factory accepts becomes a grant on the ledger, once."""

import contextlib
import functools
import logging
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import Malformed, NotFound, Refusal, RuleBroken
from contracts.identity import Principal, Scope
from services.access.domain.buyer import BuyerStatus
from services.access.domain.closing import demand_open, status_of
from services.access.domain.consent.endings import revocation
from services.access.domain.party import FactoryStatus
from services.access.domain.request import Acceptance, AccessRequest, Answer, RequestOver, Status
from services.access.store.ledger import Ledger
from services.access.store.requests import Requests
from services.access.usecases import grants
from services.access.usecases.consent import Consent
from services.access.usecases.grants import EVERYWHERE, Parties

logger = logging.getLogger(__name__)
PAGE: Final = 100


class AccessRequests:
    """The requests of buyers on their way to a grant.

    An acceptance is noted on the request before the grant is written, so that nobody can refuse or withdraw in
    between; whoever comes by later, a repetition or the sweep, writes the grant that a crash left out.
    """

    def __init__(
        self, requests: Requests, parties: Parties, ledger: Ledger, consent: Consent, *, zone: ZoneInfo, days: int
    ) -> None:
        """Requests wait ``days`` days for an answer; days are counted in ``zone``."""
        self.requests = requests
        self._parties = parties
        self._ledger = ledger
        self._consent = consent
        self._zone = zone
        self._wait = timedelta(days=days)

    async def ask(self, principal: Principal, request: AccessRequest, *, body: object, now: datetime) -> AccessRequest:
        """Ask a factory in the name of the caller's own party; the same id with the same content changes nothing.

        Raises ``NotFound`` for an unknown factory and for a caller who speaks for no buyer, ``Malformed``,
        ``RequestWaits``, ``BuyerIsClosed``, ``FactoryNotActive``, and ``Conflict`` when the id is taken.
        """
        buyer = await self._parties.grantee(principal.party_id or "")
        factory = await self._parties.factories.get(request.factory_id, EVERYWHERE)
        demand_open(await self._ledger.current(), buyer.id)
        factory.demand_active()
        asked = msgspec.structs.replace(
            request, buyer_id=buyer.id, factory_id=factory.id, asked_at=now, expires_at=now + self._wait
        )
        kept, event = asked.made(self._today(now))
        await self.requests.add(kept, event, body=(buyer.id, body), now=now)
        return await self.requests.get(request.id, _asking(principal))

    async def accept(
        self, principal: Principal, request_id: str, acceptance: Acceptance, *, now: datetime
    ) -> AccessRequest:
        """Accept what was asked, or less of it; returns when the grant is on the ledger.

        Raises ``NotFound``, ``RequestOver``, ``WiderThanAsked`` and what a grant is refused for.
        """
        group_id = await self._speaking(principal, request_id)
        answer = Answer(by=principal.subject, at=now, acceptance=acceptance, group_id=group_id)
        return await self.answer(request_id, answer)

    async def refuse(self, principal: Principal, request_id: str, reason: str, *, now: datetime) -> AccessRequest:
        """Refuse a request; raises ``NotFound`` and ``RequestOver``."""
        group_id = await self._speaking(principal, request_id)
        return await self.answer(request_id, Answer(by=principal.subject, at=now, reason=reason, group_id=group_id))

    async def answer(self, request_id: str, answer: Answer) -> AccessRequest:
        """Give an answer of which somebody has seen to it that it is the factory's; raises as the two above."""
        if answer.acceptance is None:
            return await self.requests.change(request_id, lambda present: present.refused(answer))
        dated = msgspec.structs.replace(answer, on=self._today(answer.at))
        accepted = await self.requests.change(request_id, lambda present: (present.accepted(dated), ()))
        return await self._settle(accepted, now=answer.at)

    async def withdraw(self, principal: Principal, request_id: str, *, now: datetime) -> AccessRequest:
        """Ask no longer; raises ``NotFound`` and ``RequestOver``."""
        await self.requests.get(request_id, _asking(principal))
        return await self.requests.change(request_id, lambda present: present.withdrawn(by=principal.subject, now=now))

    async def sweep(self, *, now: datetime) -> None:
        """Note what time brought, remind, and write the grants that a crash left out; again changes nothing."""
        await self._consent.check_in_charge()
        async for request in self._open():
            if request.status is Status.ACCEPTED:
                try:
                    await self._settle(request, now=now)
                except Refusal as refusal:
                    logger.warning("an accepted request waits again", extra={"reason": refusal.code})
            elif request.swept(now)[1]:
                is_idle = not await self._take_part(request)
                await self.requests.change(request.id, functools.partial(AccessRequest.swept, now=now, is_idle=is_idle))

    async def _open(self) -> AsyncIterator[AccessRequest]:
        after: str | None = None
        while True:
            page = await self.requests.find_open(EVERYWHERE, limit=PAGE, after=after)
            for request in page.items:
                yield request
            if (after := page.next_cursor) is None:
                return

    async def _settle(self, request: AccessRequest, *, now: datetime) -> AccessRequest:
        """Write the grant of an accepted request; what the ledger refuses waits for another answer.

        Should the request have been refused or withdrawn meanwhile, that counts, and the grant is taken back.
        """
        by = request.answer.by if request.answer else ""
        try:
            await grants.put(
                self._ledger,
                self._parties,
                request.grant(),
                by=by,
                now=now,
                today=self._today(now),
                group_id=request.answer.group_id if request.answer else "",
            )
        except (Malformed, NotFound, RuleBroken):
            with contextlib.suppress(RequestOver):
                await self.requests.change(request.id, lambda present: (present.reopened(), ()))
            raise
        try:
            return await self.requests.change(request.id, lambda present: present.settled(request.answer))
        except RequestOver:
            await self._ledger.append(lambda fold: revocation(fold, request.grant_id), by=by, at=now)
            raise

    async def _speaking(self, principal: Principal, request_id: str) -> str:
        """The group in whose name the caller answers a request to its factory, empty for the factory itself.

        Raises ``NotFound``.
        """
        request = await self.requests.get(request_id, grants.speaking_for(principal))
        group_id = await grants.granting_group(self._parties, principal, request.factory_id)
        if group_id:
            grants.demand_owned(await self._ledger.current(), group_id, request.factory_id)
        return group_id

    async def _take_part(self, request: AccessRequest) -> bool:
        """Whether the factory can still accept, and the buyer still be granted to."""
        factory = await self._parties.factories.get(request.factory_id, EVERYWHERE)
        is_open = status_of(await self._ledger.current(), request.buyer_id) is BuyerStatus.ACTIVE
        return is_open and factory.status is FactoryStatus.ACTIVE

    def _today(self, now: datetime) -> date:
        return now.astimezone(self._zone).date()


def _asking(principal: Principal) -> Scope:
    """What the caller's own party asked, whatever other roles the caller has."""
    return Scope(country=principal.country, buyer_id=principal.party_id or "-")
