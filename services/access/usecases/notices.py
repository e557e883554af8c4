"""Reading notices."""

from datetime import datetime

from contracts.errors import NotFound
from contracts.identity import Principal
from services.access.domain.notice import Notice, notice_with
from services.access.store.ledger import Ledger
from services.access.store.notices import Readings


async def read(ledger: Ledger, readings: Readings, principal: Principal, notice_id: str, *, now: datetime) -> Notice:
    """Note that the caller's factory has read a notice; again changes nothing; raises ``NotFound``."""
    notice = notice_with(await ledger.current(), notice_id)
    if notice is None or notice.factory_id != principal.party_id:
        raise NotFound("There is no such notice.")
    await readings.add(notice, by=principal.subject, at=now)
    return notice
