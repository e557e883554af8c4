"""Agreements on their way: proposed, signed by both sides, suspended, renewed, ended."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from uuid_utils.compat import uuid7

from contracts.access import EntryKind
from contracts.errors import Refusal
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from services.access.domain.agreement import Act, Agreement, Side, Signature, Termination
from services.access.domain.closing import demand_open
from services.access.domain.consent.endings import revocation
from services.access.domain.paper import PDF
from services.access.domain.suspension import resumption, suspending, suspension
from services.access.domain.termination import ending
from services.access.evidence import Papers
from services.access.store.agreements import Agreements
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable
from services.access.usecases.grants import EVERYWHERE, Parties
from services.access.usecases.sides import side_of

TERMINATED: Final = "The agreement was terminated."


class Agreeing:
    """What the two sides and the programme do with agreements."""

    def __init__(
        self,
        agreements: Agreements,
        parties: Parties,
        papers: Papers,
        ledger: Ledger,
        consent: Consent,
        *,
        zone: ZoneInfo,
    ) -> None:
        """Days are counted in ``zone``."""
        self._agreements = agreements
        self._parties = parties
        self._papers = papers
        self._ledger = ledger
        self._consent = consent
        self._zone = zone

    async def propose(self, principal: Principal, agreement: Agreement, *, body: object, now: datetime) -> Agreement:
        """Propose an agreement; the same id with the same content changes nothing.

        Raises ``NotFound`` for unknown parties and for a caller who is on neither side, ``Malformed``, ``Conflict``,
        ``FactoryNotActive`` and ``BuyerIsClosed``.
        """
        side = side_of(
            principal, Permission.AGREEMENT_PROPOSE, factory_id=agreement.factory_id, buyer_id=agreement.buyer_id
        )
        await self._parties.grantee(agreement.buyer_id)
        await self._demand_taking_part(agreement)
        named = msgspec.structs.replace(agreement, proposed_by=side, proposed_at=now)
        kept, event = named.proposed(self.today(now))
        await self._agreements.add(kept, event, request=(side, body))
        return await self._agreements.get(agreement.id, EVERYWHERE)

    async def renew(
        self, principal: Principal, agreement_id: str, successor: Agreement, *, body: object, now: datetime
    ) -> Agreement:
        """Propose what follows on an agreement; both sides sign again; raises ``NotFound`` and ``NotInThisStage``."""
        present, side = await self._own(principal, agreement_id, Permission.AGREEMENT_PROPOSE)
        present.demand(Act.RENEW, self.today(now), is_suspended=await self.is_suspended(agreement_id))
        await self._demand_taking_part(present)
        named = msgspec.structs.replace(
            successor,
            factory_id=present.factory_id,
            buyer_id=present.buyer_id,
            predecessor_id=present.id,
            proposed_by=side,
            proposed_at=now,
        )
        kept, event = named.proposed(self.today(now))
        await self._agreements.add(kept, event, request=(present.id, side, body))
        return await self._agreements.get(successor.id, EVERYWHERE)

    async def add_document(
        self, principal: Principal, agreement_id: str, body: AsyncIterator[bytes], *, now: datetime
    ) -> Agreement:
        """Store the PDF that is to be signed; raises ``UnknownFileType``, ``FileTooLarge`` and ``NotInThisStage``."""
        present, _ = await self._own(principal, agreement_id, Permission.AGREEMENT_PROPOSE)
        today = self.today(now)
        present.demand(Act.ADD_DOCUMENT, today)
        key = f"agreements/{agreement_id}/{uuid7()}"
        paper = await self._papers.keep(key, body, allowed=frozenset({PDF}), by=principal.subject, now=now)
        try:
            kept = await self._agreements.change(agreement_id, lambda agreed: (agreed.with_document(paper, today), ()))
        except Refusal:
            await self._papers.discard(paper)
            raise
        if kept.document != paper:
            await self._papers.discard(paper)
        elif present.document is not None:
            await self._papers.discard(present.document)
        return kept

    async def sign(self, principal: Principal, agreement_id: str, signature: Signature, *, now: datetime) -> Agreement:
        """Sign for the caller's side; raises ``NotFound``, ``DocumentDiffers`` and ``NotInThisStage``."""
        present, side = await self._own(principal, agreement_id, Permission.AGREEMENT_SIGN)
        await self._demand_taking_part(present)
        named = msgspec.structs.replace(signature, side=side, by=principal.subject, at=now)
        return await self._agreements.change(agreement_id, lambda agreed: agreed.signed(named, self.today(now)))

    async def suspend(self, principal: Principal, agreement_id: str, reason: str, *, now: datetime) -> Agreement:
        """Stop all sharing between the two, and return once that is in force at every gateway; again waits again."""
        agreement, side = await self._own(principal, agreement_id, Permission.AGREEMENT_SUSPEND)
        if not await self.is_suspended(agreement_id):
            agreement.demand(Act.SUSPEND, self.today(now))

        async def write() -> int:
            decide = lambda fold: suspension(fold, agreement, side, reason)  # noqa: E731
            fold = await self._ledger.append(decide, by=principal.subject, at=now)
            record = fold.record(agreement_id, EntryKind.SHARING_SUSPENDED)
            return record.epoch if record else fold.epoch

        # Durable before the waiting begins: a caller who leaves has suspended all the same.
        # From 0: the grants that it takes back may be of any age, also those that are being withdrawn already.
        await self._consent.in_force(await durable(write()), given=0)
        return agreement

    async def resume(self, principal: Principal, agreement_id: str, *, now: datetime) -> None:
        """Lift what the caller's side suspended; again changes nothing; raises ``SuspendedByOthers``."""
        agreement, side = await self._own(principal, agreement_id, Permission.AGREEMENT_SUSPEND)
        decide = lambda fold: resumption(fold, agreement, side)  # noqa: E731
        await self._ledger.append(decide, by=principal.subject, at=now)

    async def terminate(self, principal: Principal, agreement_id: str, reason: str, *, now: datetime) -> Agreement:
        """End an agreement and the grants that rest on it; returns once that is in force at every gateway.

        A suspension of it stays until it is lifted. Raises ``NotFound`` and ``NotInThisStage``.
        """
        _, side = await self._own(principal, agreement_id, Permission.AGREEMENT_SUSPEND)
        is_suspended, today = await self.is_suspended(agreement_id), self.today(now)
        termination = Termination(side=side, reason=reason, by=principal.subject, at=now)

        async def write() -> tuple[Agreement, int]:
            kept = await self._agreements.change(
                agreement_id, lambda agreed: agreed.terminated(termination, today, is_suspended=is_suspended)
            )
            return kept, await self._end(kept, kept.termination or termination, now=now)

        kept, epoch = await durable(write())
        if epoch > 0:
            await self._consent.in_force(epoch, given=0)
        return kept

    async def sweep(self, *, now: datetime) -> None:
        """End the grants that a crash left standing on an agreement that is over; again changes nothing."""
        await self._consent.check_in_charge()
        fold = await self._ledger.current()
        named = {each.grant.agreement_id for each in fold.records() if each.ended_epoch is None}
        for agreement in await self._agreements.terminated(named - {""}, EVERYWHERE):
            if agreement.termination is not None:
                await self._end(agreement, agreement.termination, now=now)

    async def is_suspended(self, agreement_id: str) -> bool:
        """Whether an agreement is suspended now."""
        return bool(suspending(await self._ledger.current(), agreement_id))

    def today(self, now: datetime) -> date:
        """The day of a time where the programme is."""
        return now.astimezone(self._zone).date()

    async def _demand_taking_part(self, agreement: Agreement) -> None:
        """Raise ``FactoryNotActive`` or ``BuyerIsClosed`` when one of the two takes part no longer."""
        (await self._parties.factories.get(agreement.factory_id, EVERYWHERE)).demand_active()
        demand_open(await self._ledger.current(), agreement.buyer_id)

    async def _own(self, principal: Principal, agreement_id: str, permission: Permission) -> tuple[Agreement, Side]:
        """An agreement with the side that the caller is on; raises ``NotFound``."""
        agreement = await self._agreements.get(agreement_id, scope_for(principal, permission))
        side = side_of(principal, permission, factory_id=agreement.factory_id, buyer_id=agreement.buyer_id)
        return agreement, side

    async def _end(self, agreement: Agreement, termination: Termination, *, now: datetime) -> int:
        """Tell the ledger that an agreement is over, and end the grants that rest on it: after the entry none is given.

        Returns the epoch of the last revocation, 0 when nothing ever rested on it.
        """
        by = termination.by
        fold = await self._ledger.append(lambda fold: ending(fold, agreement, termination.reason), by=by, at=now)
        resting = [each for each in fold.records() if each.grant.agreement_id == agreement.id]
        for standing in [each.id for each in resting if each.ended_epoch is None]:
            decide = lambda fold, grant_id=standing: revocation(fold, grant_id, TERMINATED)  # noqa: E731
            fold = await self._ledger.append(decide, by=by, at=now)
        records = [fold.record(each.id) for each in resting]
        return max((each.ended_epoch or 0 for each in records if each), default=0)
