"""What becomes of parties: factories change, merge and leave; buyers close and open again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from uuid_utils.compat import uuid7

from contracts.access import EntryKind
from contracts.errors import NotFound, Refusal
from contracts.identity import Principal
from services.access.domain.buyer import Buyer, BuyerStatus
from services.access.domain.closing import status_of
from services.access.domain.consent.facts import BuyerClosed, BuyerReopened
from services.access.domain.consent.fold import Fold
from services.access.domain.party import Because, Factory, FactoryNotActive, FactoryStatus, Merger
from services.access.store.ledger import Ledger
from services.access.store.parties import Factories
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable
from services.access.usecases.grants import EVERYWHERE, Parties
from services.access.usecases.groups import Grouping


async def change_factory(
    parties: Parties, grouping: Grouping, factory_id: str, fields: Mapping[str, Any], why: Because
) -> Factory:
    """Give a factory other values; a change of its group returns once it is in force at every gateway.

    Raises ``NotFound``, also for an unknown group, and ``Malformed``.
    """
    if fields.get("group_id"):
        await parties.group(fields["group_id"])

    async def change() -> Factory:
        return await parties.factories.change(factory_id, lambda factory: factory.changed(fields, why))

    if "group_id" not in fields:
        return await change()
    # What is refused must not take the factory from its group first.
    (await parties.factories.get(factory_id, EVERYWHERE)).changed(fields, why)
    return await grouping.moved(factory_id, fields["group_id"], change, by=why.by, now=why.at)


async def move_factory(
    parties: Parties, factory_id: str, status: FactoryStatus, why: Because, *, merged_into: str
) -> Factory:
    """Give a factory another status; raises ``NotFound`` and ``FactoryNotActive``."""
    await parties.factories.get(factory_id, EVERYWHERE)
    if (status is FactoryStatus.MERGED) != bool(merged_into) or merged_into == factory_id:
        raise FactoryNotActive("A merged factory, and no other, names another factory that it was merged into.")
    if merged_into:
        return await _merge(parties.factories, factory_id, Merger(into=merged_into, attempt=str(uuid7())), why)
    return await parties.factories.change(factory_id, lambda factory: factory.moved_to(status, why))


async def _merge(factories: Factories, factory_id: str, merger: Merger, why: Because) -> Factory:
    """Merge a factory into another one: first it says so, then it looks at the other one, and then it is merged."""
    begun = await factories.change(factory_id, lambda factory: (factory.merger_begun(merger), ()))
    if begun.status is FactoryStatus.MERGED:
        return begun
    try:
        (await factories.get(merger.into, EVERYWHERE)).demand_takes_others()
    except Refusal:
        await factories.change(factory_id, lambda factory: (factory.merger_dropped(merger), ()))
        raise
    return await factories.change(factory_id, lambda factory: factory.merged(merger, why))


async def move_buyer(
    parties: Parties,
    ledger: Ledger,
    consent: Consent,
    principal: Principal,
    buyer_id: str,
    status: BuyerStatus,
    why: Because,
    *,
    now: datetime,
) -> Buyer:
    """Close a buyer, a vendor or an agent, or open it again; closing returns once it is in force at every gateway.

    Raises ``NotFound``.
    """
    buyer = await parties.grantee(buyer_id)

    def decide(fold: Fold) -> BuyerClosed | BuyerReopened | None:
        if status is status_of(fold, buyer_id):
            return None
        kind = BuyerClosed if status is BuyerStatus.CLOSED else BuyerReopened
        return kind(record_id=buyer_id, buyer_id=buyer_id, reason=why.reason)

    async def write() -> int:
        fold = await ledger.append(decide, by=principal.subject, at=now)
        record = fold.record(buyer_id, EntryKind.BUYER_CLOSED)
        return record.epoch if record else 0

    # Durable before the waiting begins: a caller who leaves has closed it all the same.
    epoch = await durable(write())
    if status is BuyerStatus.CLOSED:
        await consent.in_force(epoch, given=0)
    try:
        return await parties.buyers.change(buyer_id, lambda present: present.changed({"status": status}, why))
    except NotFound:
        return msgspec.structs.replace(buyer, status=status)
