"""Giving and revoking grants."""

import asyncio
from datetime import date, datetime

import msgspec

from contracts.errors import Conflict, NotFound
from contracts.identity import Principal, Scope
from services.access.domain.consent import Fold, GrantGiven, GrantRecord, revocation
from services.access.domain.grant import Grant
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers, Factories
from services.access.usecases.consent import Consent


class Parties(msgspec.Struct, frozen=True):
    """Both kinds of party."""

    factories: Factories
    buyers: Buyers


async def give(
    ledger: Ledger,
    consent: Consent,
    parties: Parties,
    principal: Principal,
    grant: Grant,
    *,
    now: datetime,
    today: date,
) -> GrantRecord:
    """Record a factory's approval; the same id with the same content again changes nothing.

    Raises ``NotFound`` for another factory than the caller's own and for an unknown buyer, ``Malformed``,
    ``Conflict`` when the id is taken by another grant.
    """
    await parties.factories.get(grant.factory_id, _own(principal))
    await parties.buyers.get(grant.buyer_id, Scope.whole(principal.country))
    given = grant.checked(today)

    def decide(fold: Fold) -> GrantGiven | None:
        present = fold.record(given.id)
        if present is None:
            return GrantGiven(given)
        if present.grant != given:
            raise Conflict("The id is taken by a different grant.")
        return None

    fold = await ledger.append(decide, by=principal.subject, at=now)
    consent.announce()
    record = fold.record(given.id)
    if record is None:
        raise NotFound("There is no such grant.")
    return record


async def revoke(ledger: Ledger, consent: Consent, principal: Principal, grant_id: str, *, now: datetime) -> None:
    """Withdraw an approval and return once it is in force at every gateway; revoking again waits again.

    The entry is durable before the waiting begins: a caller who leaves has revoked all the same.
    """
    await ledger.get(grant_id, _own(principal))
    recording = asyncio.ensure_future(_record_revocation(ledger, consent, principal, grant_id, now))
    given, revoked = await asyncio.shield(recording)
    await consent.in_force(revoked, given=given)


async def _record_revocation(
    ledger: Ledger, consent: Consent, principal: Principal, grant_id: str, now: datetime
) -> tuple[int, int]:
    """Write the entry and wake the gateways; tell the epochs of the grant and of its revocation."""
    fold = await ledger.append(lambda fold: revocation(fold, grant_id), by=principal.subject, at=now)
    consent.announce()
    record = fold.record(grant_id)
    if record is None or record.revoked_epoch is None:
        raise NotFound("There is no such grant.")
    return record.given_epoch, record.revoked_epoch


def _own(principal: Principal) -> Scope:
    """The factory that the caller speaks for, and nothing else, whatever other roles the caller has."""
    own = frozenset({principal.party_id}) if principal.party_id else frozenset()
    return Scope(country=principal.country, factories=own)
