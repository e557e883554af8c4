"""What a factory sees of its notices."""

from datetime import datetime

import msgspec

from contracts.identity import Scope
from services.access.domain.notice import Notice, notices
from services.access.store.ledger import Ledger
from services.access.store.notices import Readings
from services.runtime.documents import Sort, cursor_of, values_of

NEWEST_FIRST: Sort = (("epoch", -1),)


class NoticeView(Notice, frozen=True, kw_only=True):
    """A notice, and when the factory read it."""

    read_at: datetime | None = None


class NoticePage(msgspec.Struct, frozen=True):
    """One page of notices and the cursor of the next."""

    items: list[NoticeView]
    next_cursor: str | None


async def list_notices(
    ledger: Ledger, readings: Readings, scope: Scope, *, is_unread: bool, limit: int, after: str | None
) -> NoticePage:
    """List the notices to the factories in scope, newest first, on request only unread ones; raises ``InvalidCursor``.

    A buyer gets none.
    """
    before = values_of(after, NEWEST_FIRST)[0] if after else None
    found: list[NoticeView] = []
    if scope.buyer_id is not None:
        return NoticePage(found, None)
    mine = [notice for notice in notices(await ledger.current(), before=before) if scope.covers(notice.factory_id)]
    for start in range(0, len(mine), limit):
        for notice in await views(readings, mine[start : start + limit], scope):
            if is_unread and notice.read_at is not None:
                continue
            if len(found) == limit:
                last = found[-1]
                return NoticePage(found, cursor_of({"_id": last.id, "epoch": last.epoch}, NEWEST_FIRST))
            found.append(notice)
    return NoticePage(found, None)


async def views(readings: Readings, shown: list[Notice], scope: Scope) -> list[NoticeView]:
    """The notices with when they were read."""
    known = await readings.among(shown, scope)
    return [
        NoticeView(**msgspec.structs.asdict(notice), read_at=known[notice.id].at if notice.id in known else None)
        for notice in shown
    ]
