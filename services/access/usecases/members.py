"""A buyer keeps its own staff: who may act for it. What the ledger says of a member is in force before the answer."""

import contextlib
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import msgspec

from contracts.access import EntryKind
from contracts.errors import Conflict, NotFound, NotPermitted
from contracts.identity import Principal, Scope
from services.access.domain.consent.facts import MemberAdmitted, MemberLeft
from services.access.domain.consent.fold import Fold
from services.access.domain.member import Member, MemberView, Profile, demand_room
from services.access.store.ledger import Ledger
from services.access.store.members import Members
from services.access.store.parties import Buyers
from services.access.usecases.consent import Consent
from services.access.usecases.durable import durable
from services.access.usecases.grants import EVERYWHERE
from services.access.usecases.turns import Turns


class VersionDiffers(Conflict):
    """The member was changed since it was read."""

    status = 412
    code = "version_differs"


class Staff:
    """The staff of every buyer: descriptions in documents, who is active on the ledger alone.

    The ledger is told first that somebody left, and last that somebody came: whatever breaks in between, nobody may
    act whom the buyer's directory does not want to.
    """

    def __init__(self, members: Members, buyers: Buyers, ledger: Ledger, consent: Consent) -> None:
        self._members = members
        self._buyers = buyers
        self._ledger = ledger
        self._consent = consent
        self._turns = Turns()

    async def read(self, principal: Principal, member_id: str) -> MemberView:
        """Read one member of the caller's buyer; raises ``NotFound``."""
        return await self._view(await self._members.get(member_id, own(principal)))

    async def find(
        self, principal: Principal, *, user_name: str | None = None, external_id: str | None = None
    ) -> list[MemberView]:
        """Read every member of the caller's buyer, or those with this name and id of the directory."""
        found = await self._members.find(own(principal), user_name=user_name, external_id=external_id)
        fold = await self._ledger.current()
        return [MemberView(member=member, is_active=_admitted(fold, member.id) == member.key) for member in found]

    async def admit(
        self, principal: Principal, member_id: str, profile: Profile, *, is_active: bool, now: datetime
    ) -> MemberView:
        """Take a new member in; raises ``UserNameTaken``, ``TooManyMembers``, ``Malformed`` and ``NotPermitted``."""
        scope = own(principal)
        try:
            await self._buyers.get(scope.buyer_id or "", scope)
        except NotFound:
            raise NotPermitted("You speak for no buyer of the programme.") from None
        member = Member.new(member_id, scope.buyer_id or "", profile, now=now)

        async def write() -> int:
            async with self._turns.of(scope.buyer_id or ""):
                demand_room(await self._members.count(scope))
                await self._members.add(member)
                return await self._tell(member, member.key if is_active else None, by=principal.subject, now=now)

        return await self._in_force(member_id, scope, write())

    async def describe(
        self,
        principal: Principal,
        member_id: str,
        profile: Profile,
        *,
        is_active: bool | None,
        now: datetime,
        version: str | None = None,
    ) -> MemberView:
        """Describe a member anew, by default as active as before.

        Raises ``NotFound``, ``VersionDiffers``, ``UserNameTaken`` and ``Malformed``.
        """
        scope = own(principal)

        async def write() -> int:
            async with self._turns.of(scope.buyer_id or ""):
                present = await self._demand(member_id, scope, version)
                was_active = present.returns or (await self._view(present)).is_active
                stays = was_active if is_active is None else is_active
                wanted = present.described(profile, now=now)
                is_renamed = wanted.key != present.key
                if is_renamed:  # what is refused must not take the member off the ledger first
                    await self._members.demand_free(wanted)
                await self._note(present, returns=stays and was_active and (is_renamed or present.returns))
                if not stays or is_renamed:
                    await self._tell(present, None, by=principal.subject, now=now)
                kept = await self._members.change(member_id, lambda member: member.described(profile, now=now))
                epoch = await self._tell(kept, kept.key if stays else None, by=principal.subject, now=now)
                await self._note(kept, returns=False)
                return epoch

        return await self._in_force(member_id, scope, write())

    async def dismiss(self, principal: Principal, member_id: str, *, now: datetime, version: str | None = None) -> None:
        """Forget a member, who may no longer act when this returns; raises ``NotFound`` and ``VersionDiffers``."""
        scope = own(principal)

        async def write() -> int:
            async with self._turns.of(scope.buyer_id or ""):
                present = await self._demand(member_id, scope, version)
                await self._note(present, returns=False)
                return await self._tell(present, None, by=principal.subject, now=now)

        is_known = True
        while is_known:
            await self._consent.in_force(await durable(write()), given=0)
            async with self._turns.of(scope.buyer_id or ""):  # unless somebody admitted the member again meanwhile
                is_known = _admitted(await self._ledger.current(), member_id) is not None
                if not is_known:
                    await self._members.remove(member_id)

    async def sweep(self, *, now: datetime) -> None:
        """Admit again whom a crash left out while the name was changed; again changes nothing."""
        await self._consent.check_in_charge()
        for left in await self._members.returning(EVERYWHERE):
            async with self._turns.of(left.buyer_id):
                with contextlib.suppress(NotFound):  # dismissed meanwhile
                    member = await self._members.get(left.id, Scope(country="", buyer_id=left.buyer_id))
                    if member.returns:
                        await self._tell(member, member.key, by="access", now=now)
                        await self._note(member, returns=False)

    async def _note(self, member: Member, *, returns: bool) -> None:
        """Note whether the ledger is to be told again of a member."""
        if member.returns != returns:
            change = lambda member: msgspec.structs.replace(member, returns=returns)  # noqa: E731
            await self._members.change(member.id, change)

    async def _demand(self, member_id: str, scope: Scope, version: str | None) -> Member:
        """The member, when it is the version that the caller has read."""
        member = await self._members.get(member_id, scope)
        if version is not None and (await self._view(member)).version != version:
            raise VersionDiffers("The member was changed since it was read.")
        return member

    async def _in_force(self, member_id: str, scope: Scope, writing: Coroutine[Any, Any, int]) -> MemberView:
        """Write, return once that is in force at every gateway, and tell what came of it."""
        # From 0: whoever has not heard of a buyer's first member lets everybody in.
        await self._consent.in_force(await durable(writing), given=0)
        return await self._view(await self._members.get(member_id, scope))

    async def _tell(self, member: Member, wanted: str | None, *, by: str, now: datetime) -> int:
        """Bring the ledger to what is wanted: the name under which the member may act; tell the epoch to wait for."""

        def decide(fold: Fold) -> MemberAdmitted | MemberLeft | None:
            admitted = _admitted(fold, member.id)
            if admitted == wanted:
                return None
            if admitted is not None:
                return MemberLeft(record_id=member.id, buyer_id=member.buyer_id, subject=admitted)
            return MemberAdmitted(record_id=member.id, buyer_id=member.buyer_id, subject=wanted or "")

        fold = await self._ledger.append(decide, by=by, at=now)
        while _admitted(fold, member.id) != wanted:
            fold = await self._ledger.append(decide, by=by, at=now)
        return fold.visible.buyer(member.buyer_id).changed

    async def _view(self, member: Member) -> MemberView:
        fold = await self._ledger.current()
        return MemberView(member=member, is_active=_admitted(fold, member.id) == member.key)


def own(principal: Principal) -> Scope:
    """The buyer that the caller speaks for, and nothing else; raises ``NotPermitted`` without one."""
    if principal.party_id is None:
        raise NotPermitted("You speak for no buyer.")
    return Scope(country=principal.country, buyer_id=principal.party_id)


def _admitted(fold: Fold, member_id: str) -> str | None:
    """The name under which a member may act now."""
    record = fold.record(member_id, EntryKind.MEMBER_ADMITTED)
    is_in = record is not None and record.ended_epoch is None and isinstance(record.fact, MemberAdmitted)
    return record.fact.subject if is_in else None  # type: ignore[union-attr]
