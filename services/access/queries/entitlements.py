"""What people see of what buyers have paid for: purchases, entitlements, and the statement of both."""

import itertools
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from contracts.access import EntryKind
from contracts.errors import NotFound
from contracts.identity import Scope
from services.access.domain.consent.fold import Record
from services.access.domain.consent.paid import CreditsBought
from services.access.domain.credits import Movement, Turn, entitlement_of, movements
from services.access.store.ledger import Ledger, epoch_of
from services.runtime.documents import Sort, cursor_of

OLDEST_FIRST: Sort = (("epoch", 1),)


class EntitlementView(msgspec.Struct, frozen=True, kw_only=True):
    """What a buyer has paid for: without ``factory_id`` every factory, without ``cycles`` every cycle."""

    id: str
    buyer_id: str
    factory_id: str
    cycles: tuple[int, ...]
    starts_on: date
    ends_on: date | None
    credits: int
    reference: str
    given_at: datetime
    epoch: int
    ended_at: datetime | None


class EntitlementPage(msgspec.Struct, frozen=True):
    """One page of entitlements and the cursor of the next."""

    items: list[EntitlementView]
    next_cursor: str | None


class PurchaseView(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that a buyer paid for; ``credits`` below 0 took back what was booked by mistake."""

    id: str
    buyer_id: str
    credits: int
    reference: str
    amount: str
    currency: str
    bought_at: datetime
    epoch: int


class PurchasePage(msgspec.Struct, frozen=True):
    """One page of purchases and the cursor of the next."""

    items: list[PurchaseView]
    next_cursor: str | None


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that came (more than 0) or went (less), and the ``balance`` after that.

    ``date`` is the day in the programme's time zone, ``record_id`` the purchase or entitlement, ``reference`` the
    invoice, or why a credit came back. ``person`` is named to administrators only.
    """

    date: date
    at: datetime
    turn: Turn
    buyer_id: str
    reference: str
    credits: int
    balance: int
    factory_id: str
    cycle: int | None
    amount: str
    currency: str
    person: str
    record_id: str
    epoch: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the lines between two days, oldest first; both balances are those of the days, not of the page."""

    opening_balance: int
    closing_balance: int
    items: list[StatementLine]
    next_cursor: str | None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which buyer (``None``: all in scope) and which days, both included, a statement is asked for."""

    buyer_id: str | None = None
    since: date | None = None
    until: date | None = None


async def list_entitlements(
    ledger: Ledger, scope: Scope, *, buyer_id: str | None, limit: int, after: str | None
) -> EntitlementPage:
    """List the entitlements in scope, newest first; raises ``InvalidCursor``."""
    kind = EntryKind.ENTITLEMENT_GIVEN
    page = await ledger.find(scope, kind, buyer_id=buyer_id, limit=limit, after=after)
    return EntitlementPage([view(record) for record in page.items], page.next_cursor)


async def list_purchases(
    ledger: Ledger, scope: Scope, *, buyer_id: str | None, limit: int, after: str | None
) -> PurchasePage:
    """List the purchases in scope, newest first; raises ``InvalidCursor``."""
    page = await ledger.find(scope, EntryKind.CREDITS_BOUGHT, buyer_id=buyer_id, limit=limit, after=after)
    return PurchasePage([view_purchase(record) for record in page.items], page.next_cursor)


async def read_statement(
    ledger: Ledger, scope: Scope, asked: Asked, *, zone: ZoneInfo, limit: int, after: str | None
) -> Statement:
    """Add up what happened to credits; raises ``NotFound`` for a buyer out of scope and ``InvalidCursor``."""
    buyer_id = asked.buyer_id or scope.buyer_id
    if scope.factories is not None and (scope.buyer_id is None or scope.buyer_id != buyer_id):
        raise NotFound("There is no such buyer.")
    opening, told = between(movements(await ledger.current(), buyer_id), asked, zone)
    lines = [_line(movement, day, balance, scope) for movement, day, balance in told]
    behind = epoch_of(after, OLDEST_FIRST) if after else 0
    rest = [line for line in lines if line.epoch > behind]
    shown = rest[:limit]
    place = {"_id": shown[-1].record_id, "epoch": shown[-1].epoch} if len(rest) > limit else None
    return Statement(
        opening_balance=opening,
        closing_balance=lines[-1].balance if lines else opening,
        items=shown,
        next_cursor=cursor_of(place, OLDEST_FIRST) if place else None,
    )


def between(moved: list[Movement], asked: Asked, zone: ZoneInfo) -> tuple[int, list[tuple[Movement, date, int]]]:
    """The balance before the days that are asked for, and what happened on them, each with its day and balance.

    The days decide and not the order on the ledger: where clocks differ, a later entry may tell an earlier day.
    """
    since, until = asked.since or date.min, asked.until or date.max
    dated = [(movement, movement.at.astimezone(zone).date()) for movement in moved]
    opening = sum(movement.credits for movement, day in dated if day < since)
    inside = [(movement, day) for movement, day in dated if since <= day <= until]
    balances = itertools.accumulate((movement.credits for movement, _ in inside), initial=opening)
    return opening, [(*each, balance) for each, balance in zip(inside, list(balances)[1:], strict=True)]


def view(record: Record) -> EntitlementView:
    """An entitlement as the buyer and the programme see it; raises ``TypeError`` for a record of another kind."""
    return EntitlementView(
        **msgspec.structs.asdict(entitlement_of(record)),
        given_at=record.at,
        epoch=record.epoch,
        ended_at=record.ended_at,
    )


def view_purchase(record: Record) -> PurchaseView:
    """A purchase as the buyer and the programme see it; raises ``TypeError`` for a record of another kind."""
    if not isinstance(record.fact, CreditsBought):
        raise TypeError(f"{record.fact.kind} is no purchase")
    return PurchaseView(**msgspec.structs.asdict(record.fact.purchase), bought_at=record.at, epoch=record.epoch)


def _line(movement: Movement, day: date, balance: int, scope: Scope) -> StatementLine:
    names = (
        "at",
        "turn",
        "buyer_id",
        "reference",
        "credits",
        "factory_id",
        "amount",
        "currency",
        "record_id",
        "epoch",
    )
    return StatementLine(
        date=day,
        balance=balance,
        cycle=movement.cycles[0] if movement.cycles else None,
        person=movement.by if scope.factories is None else "",
        **{name: getattr(movement, name) for name in names},
    )
