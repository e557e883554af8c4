"""Reading notices."""

from datetime import datetime

from contracts.errors import NotFound
from contracts.identity import Principal, Scope
from services.access.domain.notice import Notice, notice_of, notice_with, request_of
from services.access.store.ledger import Ledger
from services.access.store.notices import Readings
from services.access.store.requests import Requests


async def read(
    ledger: Ledger, requests: Requests, readings: Readings, principal: Principal, notice_id: str, *, now: datetime
) -> Notice:
    """Note that the caller's factory has read a notice; again changes nothing; raises ``NotFound``."""
    own = Scope(country=principal.country, factories=frozenset({principal.party_id or ""}))
    request_id = request_of(notice_id)
    if request_id is None:
        notice = notice_with(await ledger.current(), notice_id)
    else:
        notice = notice_of(await requests.get(request_id, own), notice_id)
    if notice is None or not own.covers(notice.factory_id):
        raise NotFound("There is no such notice.")
    await readings.add(notice, by=principal.subject, at=now)
    return notice
