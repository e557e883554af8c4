"""The histories of buyers, which tell who closed one and who opened it again, also after a crash.

The ledger is told first, because it alone says whether a buyer is closed. Whoever told it then writes the history, once
closing is in force; what a crash left out the sweep writes, with the name, the time and the reason of the ledger.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts.access import EntryKind
from contracts.errors import NotFound
from services.access.domain.buyer import Buyer
from services.access.domain.closing import status_of
from services.access.domain.consent.facts import BuyerClosed, BuyerReopened
from services.access.domain.consent.fold import Fold
from services.access.domain.party import Because
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers
from services.access.usecases.consent import Consent

WRITTEN_WITHIN: Final = timedelta(minutes=5)
"""Whoever told the ledger, and has not written the history by then, has died."""


class Histories:
    """The histories of all buyers."""

    def __init__(self, buyers: Buyers, ledger: Ledger, consent: Consent, *, zone: ZoneInfo) -> None:
        """Days are counted in ``zone``."""
        self._buyers = buyers
        self._ledger = ledger
        self._consent = consent
        self._zone = zone

    async def sweep(self, *, now: datetime) -> None:
        """Write what a crash left out of the history of a buyer; again changes nothing."""
        await self._consent.check_in_charge()
        fold = await self._ledger.current()

        def decide(buyer: Buyer) -> Buyer:
            why = self._because(fold, buyer.id)
            if why is None or now - why.at < WRITTEN_WITHIN:
                return buyer
            return buyer.changed({"status": status_of(fold, buyer.id)}, why)

        for buyer_id in [record.id for record in fold.records(EntryKind.BUYER_CLOSED)]:
            with contextlib.suppress(NotFound):  # vendors and agents are closed as well, and have no history
                await self._buyers.change(buyer_id, decide)

    def _because(self, fold: Fold, buyer_id: str) -> Because | None:
        """What the ledger says of the last time that a buyer was closed or opened again."""
        record = fold.record(buyer_id, EntryKind.BUYER_CLOSED)
        if record is None:
            return None
        (entry,) = fold.after((record.ended_epoch or record.epoch) - 1, limit=1)
        if not isinstance(entry.fact, BuyerClosed | BuyerReopened):
            return None
        on = entry.at.astimezone(self._zone).date()
        return Because(reason=entry.fact.reason, on=on, by=entry.by, at=entry.at)
