"""The histories of buyers, vendors and agents, which tell who closed one and who opened it again, also after a crash.

The ledger is told first, because it alone says whether a buyer is closed. Whoever told it then writes the history, once
closing is in force; what a crash left out the sweep writes, with the name, the time and the reason of the ledger.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from contracts.access import EntryKind
from contracts.errors import NotFound
from services.access.domain.buyer import Buyer
from services.access.domain.closing import status_of
from services.access.domain.consent.facts import BuyerClosed, BuyerReopened
from services.access.domain.consent.fold import Fold
from services.access.domain.organisation import Organisation
from services.access.domain.party import Because
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties

P = TypeVar("P", Buyer, Organisation)
WRITTEN_WITHIN: Final = timedelta(minutes=5)
"""Whoever told the ledger, and has not written the history by then, has died."""


class Histories:
    """The histories of all buyers, vendors and agents."""

    def __init__(self, parties: Parties, ledger: Ledger, consent: Consent, *, zone: ZoneInfo) -> None:
        """Days are counted in ``zone``."""
        self._parties = parties
        self._ledger = ledger
        self._consent = consent
        self._zone = zone

    async def sweep(self, *, now: datetime) -> None:
        """Write what a crash left out of a history; again changes nothing."""
        await self._consent.check_in_charge()
        fold = await self._ledger.current()

        def decide(party: P) -> P:
            why = self._because(fold, party.id)
            if why is None or now - why.at < WRITTEN_WITHIN:
                return party
            return party.changed({"status": status_of(fold, party.id)}, why)

        for party_id in [record.id for record in fold.records(EntryKind.BUYER_CLOSED)]:
            for change in (self._parties.buyers.change, self._parties.organisations.change):
                with contextlib.suppress(NotFound):  # it is a buyer, or a vendor or an agent
                    await change(party_id, decide)

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
