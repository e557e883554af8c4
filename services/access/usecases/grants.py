"""Giving and revoking grants."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Final

import msgspec

from contracts.errors import Conflict, NotFound
from contracts.identity import Principal, Role, Scope
from services.access.domain.agreement import Agreement, AgreementDoesNotCover
from services.access.domain.buyer import Buyer, BuyerStatus
from services.access.domain.closing import demand_open
from services.access.domain.consent.endings import revocation
from services.access.domain.consent.facts import GrantGiven, GrantRevoked
from services.access.domain.consent.fold import Fold, Record
from services.access.domain.grant import Grant
from services.access.domain.organisation import GRANTEES, Organisation, OrganisationClosed, OrganisationKind
from services.access.domain.suspension import suspending
from services.access.domain.termination import has_ended
from services.access.domain.terms import TermsAcceptance
from services.access.store.agreements import Agreements
from services.access.store.ledger import Ledger
from services.access.store.organisations import Organisations, TermsRecords
from services.access.store.parties import Buyers, Factories
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable

UsualDay = Callable[[datetime], date]
Ending = Callable[[Fold], GrantRevoked | None]
EVERYWHERE: Final = Scope.whole("")
"""What the programme itself may see."""


class Parties(msgspec.Struct, frozen=True):
    """Every kind of party, and what two of them agreed."""

    factories: Factories
    buyers: Buyers
    organisations: Organisations
    agreements: Agreements
    terms: TermsRecords

    async def accepted_by(self, factory_id: str) -> TermsAcceptance | None:
        """The terms that a factory accepted last, if any."""
        own = Scope(country=EVERYWHERE.country, factories=frozenset({factory_id}))
        found = await self.terms.find(own, limit=1, after=None)
        return found.items[0] if found.items else None

    async def grantee(self, party_id: str) -> Buyer:
        """Who may be granted something, a buyer, a vendor or an agent; raises ``NotFound``."""
        try:
            return await self.buyers.get(party_id, EVERYWHERE)
        except NotFound:
            found = await self.organisations.get(party_id, EVERYWHERE)
        if found.kind not in GRANTEES:
            raise NotFound("There is no such buyer.")
        return Buyer(id=found.id, name=found.name, lei=found.lei)

    async def group(self, group_id: str) -> Organisation:
        """A manufacturing group that takes part; raises ``NotFound`` and ``OrganisationClosed``."""
        found = await self.organisations.get(group_id, EVERYWHERE)
        if found.kind is not OrganisationKind.GROUP:
            raise NotFound("There is no such group.")
        if found.status is BuyerStatus.CLOSED:
            raise OrganisationClosed("The group takes part no longer.")
        return found


async def give(
    ledger: Ledger,
    consent: Consent,
    parties: Parties,
    principal: Principal,
    grant: Grant,
    *,
    now: datetime,
    today: date,
    usual_day: UsualDay | None = None,
) -> Record:
    """Record a factory's approval; the same id with the same content again changes nothing.

    ``usual_day`` tells for a time on which day a grant begins of which it was not said. Raises ``NotFound`` for
    another factory than the caller's own and for an unknown buyer, ``Malformed``, ``Conflict`` when the id is taken
    by another grant.
    """
    await _demand_granting(parties, principal, grant.factory_id)
    group_id = _group_of(principal)
    by = principal.subject

    async def write() -> tuple[Record, NotFound | None]:
        is_new = bool(group_id) and (await ledger.current()).record(grant.id) is None
        given = await put(ledger, parties, grant, by=by, now=now, today=today, usual_day=usual_day, group_id=group_id)
        try:
            if is_new:
                await _demand_granting(parties, principal, grant.factory_id)
        except NotFound as refusal:
            # The factory withdrew the permission, which is not on the ledger, while the grant was written.
            await ledger.append(lambda fold: revocation(fold, grant.id), by=by, at=now)
            return given, refusal
        return given, None

    record, refusal = await durable(write())
    if refusal is not None:
        # From 0, to the last entry there is: the revocation is among them.
        await consent.in_force((await ledger.current()).epoch, given=0)
        raise refusal
    return record


async def put(
    ledger: Ledger,
    parties: Parties,
    grant: Grant,
    *,
    by: str,
    now: datetime,
    today: date,
    usual_day: UsualDay | None = None,
    group_id: str = "",
) -> Record:
    """Put a grant on the ledger of which somebody has seen to it that the factory wants it; raises as ``give`` does.

    Nothing new begins with a factory that left the programme (``FactoryNotActive``), nor with a closed buyer
    (``BuyerIsClosed``). A group of that name must have the factory at the epoch at which the grant is written, not
    only when it was asked.
    """
    factory = await parties.factories.get(grant.factory_id, EVERYWHERE)
    await parties.grantee(grant.buyer_id)
    agreement = await _agreement(parties, grant)
    accepted = await parties.accepted_by(grant.factory_id)
    terms = {"terms_version": accepted.terms_version, "terms_sha256": accepted.document_sha256} if accepted else {}

    def decide(fold: Fold) -> GrantGiven | None:
        present = fold.record(grant.id)
        if present is None:
            factory.demand_active()
            demand_open(fold, grant.buyer_id)
            if group_id:
                demand_owned(fold, group_id, grant.factory_id)
            if agreement is not None:
                if has_ended(fold, agreement.id):  # since it was read
                    raise AgreementDoesNotCover("The agreement was terminated.")
                agreement.demand_covers(grant, today, is_suspended=bool(suspending(fold, agreement.id)))
            return GrantGiven(grant=grant.checked(today), **terms)
        # Said again on another day, what begins on the day on which it was said is still the same.
        asked = grant if usual_day is None else msgspec.structs.replace(grant, starts_on=usual_day(present.at))
        if present.grant != asked.ordered():
            raise Conflict("The id is taken by a different grant.")
        return None

    fold = await ledger.append(decide, by=by, at=now)
    record = fold.record(grant.id)
    if record is None:
        raise NotFound("There is no such grant.")
    return record


async def _agreement(parties: Parties, grant: Grant) -> Agreement | None:
    """The agreement that a grant names; raises ``AgreementDoesNotCover`` when there is none of that name."""
    if not grant.agreement_id:
        return None
    try:
        return await parties.agreements.get(grant.agreement_id, EVERYWHERE)
    except NotFound:
        raise AgreementDoesNotCover("No such agreement between the two is in force.") from None


async def revoke(
    ledger: Ledger,
    parties: Parties,
    consent: Consent,
    principal: Principal,
    grant_id: str,
    *,
    now: datetime,
    reason: str = "",
) -> None:
    """Withdraw an approval and return once it is in force at every gateway; revoking again waits again.

    A group withdraws every grant of a factory that it may grant for. Raises ``NotFound``.
    """
    record = await ledger.given(grant_id, speaking_for(principal))
    group_id = await granting_group(parties, principal, record.factory_id)

    def decide(fold: Fold) -> GrantRevoked | None:
        if group_id:
            demand_owned(fold, group_id, record.factory_id)
        return revocation(fold, grant_id, reason)

    await end(ledger, consent, grant_id, decide, by=principal.subject, now=now)


async def end(ledger: Ledger, consent: Consent, grant_id: str, decide: Ending, *, by: str, now: datetime) -> Record:
    """Take a grant back as the decision says, and return once that is in force at every gateway; again waits again.

    Raises ``NotFound`` and what the decision refuses. The entry is durable before the waiting begins: a caller who
    leaves has revoked all the same.
    """

    async def write() -> tuple[Record, int]:
        record = (await ledger.append(decide, by=by, at=now)).record(grant_id)
        if record is None or record.ended_epoch is None:
            raise NotFound("There is no such grant.")
        return record, record.ended_epoch

    record, epoch = await durable(write())
    await consent.in_force(epoch, given=record.epoch)
    return record


async def _demand_granting(parties: Parties, principal: Principal, factory_id: str) -> None:
    """Raise ``NotFound`` unless the caller speaks for the factory, or for a group that the factory lets grant."""
    factory = await parties.factories.get(factory_id, speaking_for(principal))
    if _is_of_group(principal) and not factory.owner_may_grant:
        raise NotFound("There is no such factory.")


async def granting_group(parties: Parties, principal: Principal, factory_id: str) -> str:
    """The group in whose name the caller speaks for a factory, empty for who is of none; raises ``NotFound``."""
    if _is_of_group(principal):
        await _demand_granting(parties, principal, factory_id)
    return _group_of(principal)


def demand_owned(fold: Fold, group_id: str, factory_id: str) -> None:
    """Raise ``NotFound`` unless the group has the factory at this epoch."""
    if factory_id not in fold.visible.owned(group_id):
        raise NotFound("There is no such factory.")


def speaking_for(principal: Principal) -> Scope:
    """The factories that the caller may speak for: the own one, or those of the caller's group."""
    if _is_of_group(principal):
        return Scope(country=principal.country, factories=principal.factories)
    return _own(principal)


def _group_of(principal: Principal) -> str:
    """The group for which the caller speaks, empty for who is of none."""
    return (principal.party_id or "") if _is_of_group(principal) else ""


def _is_of_group(principal: Principal) -> bool:
    return Role.GROUP in principal.roles and Role.FACTORY not in principal.roles


def _own(principal: Principal) -> Scope:
    """The factory that the caller speaks for, and nothing else, whatever other roles the caller has."""
    own = frozenset({principal.party_id}) if principal.party_id else frozenset()
    return Scope(country=principal.country, factories=own)
