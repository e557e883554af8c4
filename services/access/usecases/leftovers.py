"""Signed papers that no document names: what broke while one was added, or replaced, leaves nothing for long.

Whether a store that fell silent has written a document nobody knows; so who adds a paper does not decide then, and the
sweep looks a day later.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from contracts.errors import NotFound
from services.access.domain.paper import AGREEMENTS, CONSENTS, Paper, kept_at
from services.access.evidence import Papers
from services.access.store.agreements import Agreements
from services.access.store.papers import ConsentPapers
from services.access.usecases.grants import EVERYWHERE

logger = logging.getLogger(__name__)
GRACE: Final = timedelta(days=1)
EVERY: Final = timedelta(hours=6)
"""How often is looked: it reads the key of every paper."""


class Leftovers:
    """Removes papers that nothing names and that are older than a day."""

    def __init__(self, papers: Papers, scans: ConsentPapers, agreements: Agreements) -> None:
        self._papers = papers
        self._scans = scans
        self._agreements = agreements
        self._swept_at: datetime | None = None

    async def sweep(self, *, now: datetime) -> None:
        """Remove what is left over, unless that was looked for not long ago; again changes nothing."""
        if self._swept_at is not None and now - self._swept_at < EVERY:
            return
        for prefix in (CONSENTS, AGREEMENTS):
            await self._sweep(prefix, now)
        self._swept_at = now

    async def _sweep(self, prefix: str, now: datetime) -> None:
        """Remove what is left over under a prefix.

        NOTE: where not one paper is named, these are the wrong documents for the files, and nothing is removed.
        """
        unnamed, named = list[str](), 0
        async for key in self._papers.keys(prefix):
            if await self._is_named(key):
                named += 1
            elif (at := kept_at(key)) is not None and now - at > GRACE:
                unnamed.append(key)
        if unnamed and not named:
            logger.warning("no document names any paper", extra={"count": len(unnamed)})
            return
        for key in unnamed:
            await self._papers.discard(key)
            logger.info("a paper that nothing names was removed")

    async def _is_named(self, key: str) -> bool:
        """Whether the document to which the key belongs names the paper."""
        owner = key.split("/")[1]
        try:
            paper = await self._paper_of(owner, is_consent=key.startswith(CONSENTS))
        except NotFound:
            return False
        return paper is not None and paper.key == key

    async def _paper_of(self, owner: str, *, is_consent: bool) -> Paper | None:
        """The paper that a document names; raises ``NotFound``."""
        if is_consent:
            return (await self._scans.get(owner, EVERYWHERE)).paper
        return (await self._agreements.get(owner, EVERYWHERE)).document
