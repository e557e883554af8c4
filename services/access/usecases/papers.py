"""Recording what a factory without the portal says on paper, yes or stop: never without the scan of what it signed."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec

from contracts.errors import Malformed
from contracts.identity import Principal, Scope
from contracts.permissions import Permission, scope_for
from services.access.domain.consent.endings import revocation
from services.access.domain.consent.facts import GrantRevoked
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.grant import Approval, Grant
from services.access.domain.paper import EXTENSIONS, ConsentPaper
from services.access.evidence import Papers
from services.access.store.ledger import Ledger
from services.access.store.papers import ConsentPapers
from services.access.usecases import grants
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties, UsualDay


class PaperConsent:
    """Scans, and what staff record from them: grants, and their withdrawals."""

    def __init__(
        self, scans: ConsentPapers, papers: Papers, parties: Parties, ledger: Ledger, consent: Consent
    ) -> None:
        self._scans = scans
        self._papers = papers
        self._parties = parties
        self._ledger = ledger
        self._consent = consent

    async def keep(
        self, principal: Principal, factory_id: str, paper_id: str, body: AsyncIterator[bytes], *, now: datetime
    ) -> ConsentPaper:
        """Store the scan of what a factory signed; raises ``NotFound``, ``UnknownFileType`` and ``FileTooLarge``."""
        await self._parties.factories.get(factory_id, scope_for(principal, Permission.GRANT_RECORD))
        paper = await self._papers.keep(
            f"consents/{paper_id}", body, allowed=frozenset(EXTENSIONS), by=principal.subject, now=now
        )
        scan = ConsentPaper(id=paper_id, factory_id=factory_id, paper=paper)
        await self._scans.add(scan)
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

    async def withdraw(
        self, principal: Principal, paper_id: str, grant_id: str, said_by: Approval, *, now: datetime
    ) -> Record:
        """Take back any grant of the factory that signed this paper, however it was given.

        Returns once that is in force at every gateway; again waits again. Raises ``NotFound``, also for a grant of
        another factory.
        """
        scan = await self._scans.get(paper_id, scope_for(principal, Permission.GRANT_RECORD))
        await self._ledger.get(grant_id, Scope(country=principal.country, factories=frozenset({scan.factory_id})))

        def decide(fold: Fold) -> GrantRevoked | None:
            return revocation(fold, grant_id, said_by=said_by, document_sha256=scan.paper.sha256)

        return await grants.end(self._ledger, self._consent, grant_id, decide, by=principal.subject, now=now)
