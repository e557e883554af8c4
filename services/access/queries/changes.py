"""What changed for a buyer since it asked last: what it may see, and what it may see no more."""

import base64
import binascii
from datetime import date, datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from contracts.errors import Malformed
from contracts.visibility import may_see
from contracts.vocabulary import ReportKind
from services.access.domain.consent.fold import Fold
from services.access.domain.sharing import Point, SharedDocument, Sight, changes
from services.access.store.changes import Journal
from services.access.store.ledger import Ledger
from services.runtime.documents import InvalidCursor

_VERSION: Final = 1
T = TypeVar("T", "_Told", "_Place")


class InvalidChangedSince(Malformed):
    """The point was not told by this list, or its ledger is another one now: the client begins anew without it."""

    code = "invalid_changed_since"


class ChangedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document to read again; one that ``is_withdrawn`` may be read no more, and ``changed_at`` is not told."""

    kind: ReportKind
    factory_id: str
    cycle: int
    document_id: str
    is_withdrawn: bool
    changed_at: datetime | None


class ChangePage(msgspec.Struct, frozen=True):
    """One page of changes and the cursor of the next; the last page has the ``changed_since`` of the next time."""

    items: list[ChangedDocument]
    next_cursor: str | None
    changed_since: str | None


class _Told(msgspec.Struct, frozen=True, array_like=True):
    version: int
    point: Point


class _Place(msgspec.Struct, frozen=True, array_like=True):
    version: int
    since: Point | None
    until: Point
    behind: str


async def list_changes(
    journal: Journal,
    ledger: Ledger,
    buyer_id: str,
    *,
    changed_since: str | None,
    limit: int,
    after: str | None,
    today: date,
    zone: ZoneInfo,
) -> ChangePage:
    """List what a buyer may see, with ``changed_since`` only what changed for it since then, in the order of its keys.

    Everything behind the first page is decided as of then, so that pages hang together; what the buyer may see no more
    by the time of a later page is left out, and withdrawn the next time. Raises ``InvalidChangedSince``,
    ``InvalidCursor``.
    """
    last_change = (await journal.current()).last
    fold = await ledger.current()  # after the journal: it is not behind any document up to the last change
    now = Point(last_change, fold.epoch, fold.hash, today)
    if after is not None:
        place = _decoded(after, _Place, InvalidCursor("The cursor was not issued by this list."))
        since, until, behind = place.since, place.until, place.behind
    else:
        no_point = InvalidChangedSince("Not a point that this list told; leave changed_since out to begin anew.")
        since = _decoded(changed_since, _Told, no_point).point if changed_since is not None else None
        until, behind = now, ""
    for point in (since, until):
        if point is not None and not _is_known(point, journal, fold):
            raise InvalidChangedSince("The data were restored meanwhile; leave changed_since out to begin anew.")
    sight = Sight(fold.concerning(buyer_id), since=since, until=until, today=today, zone=zone)
    items: list[ChangedDocument] = []
    last = ""
    for document, is_seen in changes(journal.documents(behind=behind), sight, since, until):
        if is_seen and not _sees(fold, buyer_id, document, today):
            continue
        if len(items) == limit:
            return ChangePage(items, _encoded(_Place(_VERSION, since, until, last)), None)
        items.append(_item(document, is_seen=is_seen))
        last = document.key
    return ChangePage(items, None, _encoded(_Told(_VERSION, until)))


def _sees(fold: Fold, buyer_id: str, document: SharedDocument, today: date) -> bool:
    return may_see(fold.visible, buyer_id, document.factory_id, document.kind, today, document.cycle)


def _is_known(point: Point, journal: Journal, fold: Fold) -> bool:
    is_of_ledger = point.epoch >= 0 and fold.connects(point.epoch, point.entry_hash)
    return is_of_ledger and 0 <= point.change <= journal.last


def _item(document: SharedDocument, *, is_seen: bool) -> ChangedDocument:
    return ChangedDocument(
        kind=document.kind,
        factory_id=document.factory_id,
        cycle=document.cycle,
        document_id=document.document_id,
        is_withdrawn=not is_seen,
        changed_at=document.changed_at if is_seen else None,
    )


def _encoded(told: _Told | _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(told)).decode().rstrip("=")


def _decoded(text: str, kind: type[T], refusal: Exception) -> T:
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(content, type=kind)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise refusal from None
    if found.version != _VERSION:
        raise refusal
    return found
