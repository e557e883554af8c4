"""The members of buyers' staff as documents; every read takes the ``Scope`` of their buyer."""

from collections.abc import Callable
from typing import Final

from contracts.access import member_key
from contracts.errors import Conflict, NotFound
from contracts.identity import Scope
from services.access.domain.member import Member
from services.runtime.aggregates import Aggregates
from services.runtime.documents import Documents, DuplicateKey, Filter, Index
from services.runtime.relay import Relay

PAGE: Final = 500


class UserNameTaken(Conflict):
    """Another member of the same buyer has this name."""

    code = "user_name_taken"


class Members:
    """The members of every buyer, each buyer's apart."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (
            Index(("state.buyer_id", "state.key"), unique=True),
            Index(("state.buyer_id", "state.profile.external_id")),
            Index(("state.returns",)),
        )
        self._collection = documents.collection("members", indexes)
        self._members = Aggregates(self._collection, Member, source=source, relay=relay)

    async def get(self, member_id: str, scope: Scope) -> Member:
        """Read one; raises ``NotFound`` for what is absent or another buyer's."""
        member = (await self._members.get(member_id)).state
        if scope.buyer_id is None or member.buyer_id != scope.buyer_id:
            raise NotFound("There is no such member.")
        return member

    async def find(self, scope: Scope, *, user_name: str | None = None, external_id: str | None = None) -> list[Member]:
        """Read every member of a buyer, or those with this name and id of the directory, in the order of their ids."""
        where: dict[str, str | None] = {"state.buyer_id": scope.buyer_id or ""}
        if user_name is not None:
            where["state.key"] = member_key(user_name)
        if external_id is not None:
            where["state.profile.external_id"] = external_id
        return await self._all(where)

    async def returning(self, scope: Scope) -> list[Member]:
        """Every member whose change of name was not seen through; the programme alone asks."""
        return await self._all({"state.returns": True}) if scope.factories is None and scope.buyer_id is None else []

    async def count(self, scope: Scope) -> int:
        """How many members a buyer has."""
        return await self._collection.count({"state.buyer_id": scope.buyer_id or ""})

    async def demand_free(self, member: Member) -> None:
        """Raise ``UserNameTaken`` when a member of the same buyer has this name."""
        if await self._collection.count({"state.buyer_id": member.buyer_id, "state.key": member.key}):
            raise UserNameTaken("Another member has this user name.")

    async def add(self, member: Member) -> None:
        """Store a new member; raises ``UserNameTaken``."""
        try:
            await self._members.create(member.id, member)
        except Conflict:
            raise UserNameTaken("Another member has this user name.") from None

    async def change(self, member_id: str, decide: Callable[[Member], Member]) -> Member:
        """Store what a pure decision makes of a member; raises ``NotFound``, ``UserNameTaken`` and its refusals."""
        try:
            return await self._members.change(member_id, lambda member: (decide(member), ()))
        except DuplicateKey:
            raise UserNameTaken("Another member has this user name.") from None

    async def remove(self, member_id: str) -> None:
        """Forget a member for good."""
        await self._collection.delete(member_id)

    async def _all(self, where: Filter) -> list[Member]:
        found, after = [], None
        while True:
            page = await self._members.find(where, sort=[("_id", 1)], limit=PAGE, after=after)
            found += page.items
            if (after := page.next_cursor) is None:
                return found
