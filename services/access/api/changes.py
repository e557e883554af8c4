"""The HTTP route of the changes feed: parse, authorise, call, answer."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from litestar import get
from litestar.params import Parameter

from contracts.identity import Principal
from contracts.permissions import Permission
from services.access.api.speaking import own_buyer
from services.access.queries import changes as queries
from services.access.queries.changes import ChangePage
from services.access.store.changes import Journal
from services.access.store.ledger import Ledger
from services.runtime.http import Injected, PageSize, requires

ChangedSince = Annotated[
    str | None, Parameter(max_length=500, description="The changed_since of the last page the last time")
]


@get("/changes", guards=[requires(Permission.CHANGE_READ)])
async def list_changes(
    principal: Injected[Principal],
    journal: Injected[Journal],
    ledger: Injected[Ledger],
    programme_zone: Injected[ZoneInfo],
    changed_since: ChangedSince = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> ChangePage:
    """List which documents the caller's buyer may see, with ``changed_since`` those that changed for it since then.

    Read all pages and keep the ``changed_since`` of the last one. What is withdrawn is to be deleted.
    """
    return await queries.list_changes(
        journal,
        ledger,
        own_buyer(principal),
        changed_since=changed_since,
        limit=limit,
        after=cursor,
        today=datetime.now(programme_zone).date(),
        zone=programme_zone,
    )


HANDLERS = (list_changes,)
