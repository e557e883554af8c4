"""What a factory sees of its notices."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from contracts.identity import Scope
from services.access.domain.notice import Notice, notices, told_of
from services.access.store.ledger import Ledger
from services.access.store.notices import Readings
from services.access.store.requests import Requests
from services.runtime.documents import InvalidCursor, Sort, cursor_of, values_of

NEWEST_FIRST: Sort = (("at", -1),)
PAGE: Final = 200


class NoticeView(Notice, frozen=True, kw_only=True):
    """A notice, and when the factory read it."""

    read_at: datetime | None = None


class NoticePage(msgspec.Struct, frozen=True):
    """One page of notices and the cursor of the next."""

    items: list[NoticeView]
    next_cursor: str | None


async def list_notices(
    ledger: Ledger,
    requests: Requests,
    readings: Readings,
    scope: Scope,
    *,
    now: datetime,
    is_unread: bool,
    limit: int,
    after: str | None,
) -> NoticePage:
    """List the notices to the factories in scope, newest first, on request only unread ones; raises ``InvalidCursor``.

    A buyer gets none.
    """
    before = _place_of(after) if after else None
    found: list[NoticeView] = []
    if scope.buyer_id is not None:
        return NoticePage(found, None)
    told = [notice async for notice in _of_requests(requests, scope, now)]
    told += [notice for notice in notices(await ledger.current()) if scope.covers(notice.factory_id)]
    mine = sorted((each for each in told if before is None or _place(each) < before), key=_place, reverse=True)
    for start in range(0, len(mine), limit):
        for notice in await views(readings, mine[start : start + limit], scope):
            if is_unread and notice.read_at is not None:
                continue
            if len(found) == limit:
                at, last_id = _place(found[-1])
                return NoticePage(found, cursor_of({"_id": last_id, "at": at}, NEWEST_FIRST))
            found.append(notice)
    return NoticePage(found, None)


async def views(readings: Readings, shown: list[Notice], scope: Scope) -> list[NoticeView]:
    """The notices with when they were read."""
    known = await readings.among(shown, scope)
    return [
        NoticeView(**msgspec.structs.asdict(notice), read_at=known[notice.id].at if notice.id in known else None)
        for notice in shown
    ]


async def _of_requests(requests: Requests, scope: Scope, now: datetime) -> AsyncIterator[Notice]:
    """The notices of all requests in scope that wait for an answer, or were refused on paper."""
    after: str | None = None
    while True:
        page = await requests.find_telling(scope, limit=PAGE, after=after)
        for request in page.items:
            for notice in told_of(request, now):
                yield notice
        if (after := page.next_cursor) is None:
            return


def _place(notice: Notice) -> tuple[str, str]:
    """The time, spelt so that it sorts, and the id: of what came at the same time the later entry is the newer."""
    return notice.at.astimezone(UTC).isoformat(timespec="microseconds"), notice.id


def _place_of(cursor: str) -> tuple[str, str]:
    """The place behind which the list goes on; raises ``InvalidCursor``."""
    try:
        return msgspec.convert(values_of(cursor, NEWEST_FIRST), tuple[str, str])
    except msgspec.ValidationError:
        raise InvalidCursor("The cursor was not issued by this list.") from None
