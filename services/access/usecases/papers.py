"""Recording what a factory without the portal says on paper, yes or stop: never without the scan of what it signed."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec

from contracts.errors import Malformed, NotFound, Refusal
from contracts.identity import Principal, Scope
from contracts.permissions import Permission, scope_for
from services.access.domain.consent.endings import revocation
from services.access.domain.consent.facts import GrantRevoked
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.grant import Approval, Grant
from services.access.domain.paper import CONSENTS, EXTENSIONS, ConsentPaper
from services.access.domain.request import Acceptance, AccessRequest, Answer
from services.access.evidence import Papers
from services.access.store.ledger import Ledger
from services.access.store.papers import ConsentPapers
from services.access.usecases import grants
from services.access.usecases.consent import Consent
from services.access.usecases.grants import EVERYWHERE, Parties, UsualDay
from services.access.usecases.requests import AccessRequests


class PaperConsent:
    """Scans, and what staff record from them: grants and their withdrawals, and answers to what buyers ask."""

    def __init__(
        self,
        scans: ConsentPapers,
        papers: Papers,
        parties: Parties,
        ledger: Ledger,
        consent: Consent,
        asking: AccessRequests,
    ) -> None:
        self._scans = scans
        self._papers = papers
        self._parties = parties
        self._ledger = ledger
        self._consent = consent
        self._asking = asking

    async def keep(
        self, principal: Principal, factory_id: str, paper_id: str, body: AsyncIterator[bytes], *, now: datetime
    ) -> ConsentPaper:
        """Store the scan of what a factory signed; raises ``NotFound``, ``UnknownFileType`` and ``FileTooLarge``.

        What breaks before a document names the scan leaves it to the sweep of leftovers.
        """
        await self._parties.factories.get(factory_id, scope_for(principal, Permission.GRANT_RECORD))
        paper = await self._papers.keep(
            f"{CONSENTS}{paper_id}", body, allowed=frozenset(EXTENSIONS), by=principal.subject, now=now
        )
        scan = ConsentPaper(id=paper_id, factory_id=factory_id, paper=paper)
        try:
            await self._scans.add(scan)
        except Refusal:
            await self._papers.discard(paper.key)
            raise
        return scan

    async def record(
        self,
        principal: Principal,
        paper_id: str,
        grant: Grant,
        *,
        now: datetime,
        today: date,
        usual_day: UsualDay | None,
    ) -> Record:
        """Put what a paper says on the ledger, sealed with its digest; raises ``NotFound`` and as a grant does."""
        scan = await self._scans.get(paper_id, scope_for(principal, Permission.GRANT_RECORD))
        if grant.approved_by is None:
            raise Malformed("A paper names who signed it.")
        named = msgspec.structs.replace(grant, factory_id=scan.factory_id, document_sha256=scan.paper.sha256)
        return await grants.put(
            self._ledger,
            self._parties,
            named,
            by=principal.subject,
            now=now,
            today=today,
            usual_day=usual_day,
        )

    async def accept(
        self,
        principal: Principal,
        paper_id: str,
        request_id: str,
        buyer_id: str,
        acceptance: Acceptance,
        *,
        now: datetime,
    ) -> Record:
        """Accept on paper what this buyer asked, or less; returns the grant; raises as an acceptance does."""
        request = await self._answer(
            principal, paper_id, request_id, buyer_id, Answer(by=principal.subject, at=now, acceptance=acceptance)
        )
        return await self._ledger.get(request.grant_id, EVERYWHERE)

    async def refuse(
        self, principal: Principal, paper_id: str, request_id: str, reason: str, *, now: datetime
    ) -> AccessRequest:
        """Refuse on paper what a buyer asked; raises ``NotFound`` and ``RequestOver``."""
        return await self._answer(
            principal, paper_id, request_id, None, Answer(by=principal.subject, at=now, reason=reason)
        )

    async def withdraw(
        self, principal: Principal, paper_id: str, grant_id: str, said_by: Approval, *, now: datetime
    ) -> Record:
        """Take back any grant of the factory that signed this paper, however it was given.

        Returns once that is in force at every gateway; again waits again. Raises ``NotFound``, also for a grant of
        another factory.
        """
        scan = await self._scans.get(paper_id, scope_for(principal, Permission.GRANT_RECORD))
        await self._ledger.given(grant_id, _of(scan))

        def decide(fold: Fold) -> GrantRevoked | None:
            return revocation(fold, grant_id, said_by=said_by, document_sha256=scan.paper.sha256)

        return await grants.end(self._ledger, self._consent, grant_id, decide, by=principal.subject, now=now)

    async def _answer(
        self, principal: Principal, paper_id: str, request_id: str, buyer_id: str | None, answer: Answer
    ) -> AccessRequest:
        """Give the answer that the factory signed; raises ``NotFound`` for what somebody else asked, or was asked."""
        scan = await self._scans.get(paper_id, scope_for(principal, Permission.GRANT_RECORD))
        request = await self._asking.requests.get(request_id, _of(scan))
        if buyer_id not in {None, request.buyer_id}:
            raise NotFound("There is no such request.")
        return await self._asking.answer(request_id, msgspec.structs.replace(answer, document_sha256=scan.paper.sha256))


def _of(scan: ConsentPaper) -> Scope:
    """The factory that signed, and no other."""
    return Scope(country="", factories=frozenset({scan.factory_id}))
