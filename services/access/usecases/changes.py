"""Noting what changed of the documents that are shared."""

from collections.abc import Iterable
from datetime import date, datetime

from contracts.vocabulary import ReportKind
from services.access.store.changes import Change, Journal
from services.access.store.ledger import Ledger
from services.runtime.bus import Delivery


async def note_change(
    journal: Journal,
    ledger: Ledger,
    kinds: Iterable[ReportKind],
    *,
    document_id: str,
    factory_id: str,
    cycle: int,
    cause: Delivery,
    today: date,
) -> None:
    """Note that a document changed as the announcement says: for plans, its kinds are documents of their own.

    The document was there before it was announced, so it could be read when the ledger was where it is found now.
    """
    epoch = (await ledger.current()).epoch
    for kind in kinds:
        change = Change(
            kind=kind,
            document_id=document_id,
            factory_id=factory_id,
            cycle=cycle,
            changed_at=datetime.fromisoformat(cause.message.time),
            epoch=epoch,
            day=today,
        )
        await journal.append(change, cause=cause)
