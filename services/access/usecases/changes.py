"""Noting what changed of the documents that are shared."""

from collections.abc import Iterable
from datetime import datetime

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
    now: datetime,
) -> None:
    """Note that a document changed as the announcement says: for plans, its kinds are documents of their own.

    It could be read from when it was announced on, however late that is heard: what a buyer read of it meanwhile, and
    may see no more, is to be told as withdrawn. ``now`` is in the programme's time zone.
    """
    changed_at = datetime.fromisoformat(cause.message.time)
    could_be_read_from = min(changed_at, now)  # the clock of another service may be ahead
    epoch = (await ledger.current()).epoch_at(could_be_read_from)
    for kind in kinds:
        change = Change(
            kind=kind,
            document_id=document_id,
            factory_id=factory_id,
            cycle=cycle,
            changed_at=changed_at,
            epoch=epoch,
            day=could_be_read_from.astimezone(now.tzinfo).date(),
        )
        await journal.append(change, cause=cause)
