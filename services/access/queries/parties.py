"""What people see of factories and buyers."""

import msgspec

from contracts.identity import Scope
from services.access.domain.buyer import Buyer
from services.access.domain.closing import status_of
from services.access.domain.consent.fold import Fold
from services.access.domain.organisation import Organisation
from services.access.domain.party import Address, Change, Factory, FactoryStatus, Registration
from services.access.domain.text import plain
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers, Factories


class FactoryView(msgspec.Struct, frozen=True, kw_only=True):
    """A factory as people see it.

    ``original_id`` is its id in the country's earlier system, ``industry`` an ISIC code with its section letter (C14),
    ``owner_group`` the manufacturing group as it was told, ``group_id`` that group as a party, which may approve buyers
    for the factory if ``owner_may_grant``. ``merged_into`` tells one step: that factory may have been merged as well.
    ``former_names`` are those by which it is still found. ``registration`` and ``history``, which is what was
    changed, oldest first, are for the factory and the programme.
    """

    id: str
    original_id: str
    name: str
    country: str
    industry: str
    time_zone: str
    address: Address
    os_id: str
    lei: str
    tax_id: str
    owner_group: str
    group_id: str
    owner_may_grant: bool
    status: FactoryStatus
    merged_into: str
    former_names: tuple[str, ...]
    registration: Registration | None
    history: tuple[Change, ...]


class FactoryPage(msgspec.Struct, frozen=True):
    """One page of factories and the cursor of the next."""

    items: list[FactoryView]
    next_cursor: str | None


class BuyerPage(msgspec.Struct, frozen=True):
    """One page of buyers and the cursor of the next."""

    items: list[Buyer]
    next_cursor: str | None


async def read_factory(factories: Factories, factory_id: str, scope: Scope) -> FactoryView:
    """Read one factory; raises ``NotFound``."""
    return _shown(await factories.get(factory_id, scope), scope)


class DirectoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What is public of a factory, so that a buyer can ask it for access."""

    id: str
    name: str
    city: str
    country: str
    industry: str
    status: FactoryStatus
    os_id: str


class DirectoryPage(msgspec.Struct, frozen=True):
    """One page of the directory and the cursor of the next."""

    items: list[DirectoryEntry]
    next_cursor: str | None


async def list_directory(factories: Factories, scope: Scope, *, limit: int, after: str | None) -> DirectoryPage:
    """List what is public of every active factory, by name; raises ``InvalidCursor``."""
    page = await factories.find_active(scope, limit=limit, after=after)
    entries = [
        DirectoryEntry(
            id=each.id,
            name=each.name,
            city=each.address.city,
            country=each.country,
            industry=each.industry,
            status=each.status,
            os_id=each.os_id,
        )
        for each in page.items
    ]
    return DirectoryPage(entries, page.next_cursor)


async def list_factories(
    factories: Factories, scope: Scope, *, name: str | None, limit: int, after: str | None
) -> FactoryPage:
    """List the factories in scope by name, or those that have this name or had it once; raises ``InvalidCursor``."""
    if name is None:
        page = await factories.find(scope, limit=limit, after=after)
    else:
        page = await factories.find_named(scope, plain(name, "name"), limit=limit, after=after)
    return FactoryPage([_shown(factory, scope) for factory in page.items], page.next_cursor)


async def read_buyer(buyers: Buyers, ledger: Ledger, buyer_id: str, scope: Scope) -> Buyer:
    """Read one buyer; raises ``NotFound``."""
    return _told(await buyers.get(buyer_id, scope), await ledger.current(), scope)


async def list_buyers(buyers: Buyers, ledger: Ledger, scope: Scope, *, limit: int, after: str | None) -> BuyerPage:
    """List the buyers by name; raises ``InvalidCursor``."""
    page = await buyers.find(scope, limit=limit, after=after)
    fold = await ledger.current()
    return BuyerPage([_told(buyer, fold, scope) for buyer in page.items], page.next_cursor)


def _told(buyer: Buyer, fold: Fold, scope: Scope) -> Buyer:
    """The buyer, its status as the ledger tells; who registered and changed it is for itself and the programme."""
    is_own = _is_own(scope, buyer.id)
    return msgspec.structs.replace(
        buyer,
        status=status_of(fold, buyer.id),
        registration=buyer.registration if is_own else None,
        history=buyer.history if is_own else (),
    )


def shown_organisation(organisation: Organisation, scope: Scope) -> Organisation:
    """The organisation; how it was registered, and who changed what, and why, is for itself and the programme."""
    if _is_own(scope, organisation.id):
        return organisation
    return msgspec.structs.replace(organisation, registration=None, history=())


def _is_own(scope: Scope, party_id: str) -> bool:
    """Whether the scope is that of the programme, or of this buyer, vendor or agent itself."""
    return scope.buyer_id == party_id if scope.buyer_id is not None else scope.factories is None


def _shown(factory: Factory, scope: Scope) -> FactoryView:
    """A buyer learns who and where a factory is, not its tax id, nor who changed what and why."""
    view = FactoryView(**{name: getattr(factory, name) for name in FactoryView.__struct_fields__})
    return view if scope.buyer_id is None else msgspec.structs.replace(view, tax_id="", registration=None, history=())
