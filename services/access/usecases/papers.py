"""Recording what a factory without the portal consented to on paper: never without the scan of what it signed."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec

from contracts.errors import Malformed
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from services.access.domain.consent.fold import Record
from services.access.domain.grant import Grant
from services.access.domain.paper import EXTENSIONS, ConsentPaper
from services.access.evidence import Papers
from services.access.store.ledger import Ledger
from services.access.store.papers import ConsentPapers
from services.access.usecases import grants
from services.access.usecases.grants import Parties, UsualDay


class PaperConsent:
    """Scans, and the grants that staff record from them."""

    def __init__(self, scans: ConsentPapers, papers: Papers, parties: Parties, ledger: Ledger) -> None:
        self._scans = scans
        self._papers = papers
        self._parties = parties
        self._ledger = ledger

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
