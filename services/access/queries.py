"""What people see of parties, grants and the ledger."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec

from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.access.domain.consent import PURPOSE, GrantRecord
from services.access.domain.grant import Approval
from services.access.domain.party import Buyer, Factory
from services.access.domain.receipt import receipt_of
from services.access.domain.verification import canonical, line_of
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers, Factories


class FactoryPage(msgspec.Struct, frozen=True):
    """One page of factories and the cursor of the next."""

    items: list[Factory]
    next_cursor: str | None


class BuyerPage(msgspec.Struct, frozen=True):
    """One page of buyers and the cursor of the next."""

    items: list[Buyer]
    next_cursor: str | None


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as its parties see it; ``epoch`` is its place on the consent ledger.

    ``approved_by`` names a person and is shown to the factory and the programme only.
    """

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date
    ends_on: date | None
    purpose: str
    approved_by: Approval | None
    given_at: datetime
    epoch: int
    revoked_at: datetime | None
    revoked_epoch: int | None


class GrantPage(msgspec.Struct, frozen=True):
    """One page of grants and the cursor of the next."""

    items: list[GrantView]
    next_cursor: str | None


async def read_factory(factories: Factories, factory_id: str, scope: Scope) -> Factory:
    """Read one factory; raises ``NotFound``."""
    return _shown(await factories.get(factory_id, scope), scope)


async def list_factories(factories: Factories, scope: Scope, *, limit: int, after: str | None) -> FactoryPage:
    """List the factories in scope by name; raises ``InvalidCursor``."""
    page = await factories.find(scope, limit=limit, after=after)
    return FactoryPage([_shown(factory, scope) for factory in page.items], page.next_cursor)


async def list_buyers(buyers: Buyers, scope: Scope, *, limit: int, after: str | None) -> BuyerPage:
    """List the buyers by name; raises ``InvalidCursor``."""
    page = await buyers.find(scope, limit=limit, after=after)
    return BuyerPage(page.items, page.next_cursor)


async def read_grant(ledger: Ledger, grant_id: str, scope: Scope) -> GrantView:
    """Read one grant; raises ``NotFound``."""
    return view(await ledger.get(grant_id, scope), scope)


async def list_grants(
    ledger: Ledger, scope: Scope, *, factory_id: str | None, buyer_id: str | None, limit: int, after: str | None
) -> GrantPage:
    """List the grants in scope, newest first; raises ``InvalidCursor``."""
    page = await ledger.find(scope, factory_id=factory_id, buyer_id=buyer_id, limit=limit, after=after)
    return GrantPage([view(record, scope) for record in page.items], page.next_cursor)


async def read_receipt(ledger: Ledger, grant_id: str, scope: Scope) -> bytes:
    """The receipt of one grant as canonical JSON, the same bytes until it is revoked; raises ``NotFound``.

    A buyer's receipt proves the same and names no person.
    """
    record = await ledger.get(grant_id, scope)
    names = None if scope.buyer_id is None else {PURPOSE}
    fold = await ledger.current()
    return canonical(receipt_of([line_of(entry, names) for entry in fold.evidence(record)]))


async def export_ledger(ledger: Ledger) -> AsyncIterator[bytes]:
    """Every entry with everything that is sealed in it, a line of canonical JSON each."""
    async for entry in ledger.entries():
        yield canonical(line_of(entry)) + b"\n"


def view(record: GrantRecord, scope: Scope) -> GrantView:
    """The grant as the scope's party sees it."""
    grant = record.grant
    return GrantView(
        id=grant.id,
        factory_id=grant.factory_id,
        buyer_id=grant.buyer_id,
        kinds=grant.kinds,
        starts_on=grant.starts_on,
        ends_on=grant.ends_on,
        purpose=grant.purpose,
        approved_by=grant.approved_by if scope.buyer_id is None else None,
        given_at=record.given_at,
        epoch=record.given_epoch,
        revoked_at=record.revoked_at,
        revoked_epoch=record.revoked_epoch,
    )


def _shown(factory: Factory, scope: Scope) -> Factory:
    """A buyer learns who and where a factory is, not its tax id."""
    return factory if scope.buyer_id is None else msgspec.structs.replace(factory, tax_id="")
