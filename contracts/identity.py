"""Who is asking, and what of the country they may see."""

from enum import StrEnum
from typing import Any, Final

import msgspec

from contracts.vocabulary import ReportKind


class Role(StrEnum):
    """What a person does in the programme; a person may hold several."""

    ADMINISTRATOR = "administrator"
    ADVISOR = "advisor"
    TEAM_LEADER = "team_leader"
    FACTORY = "factory"
    BUYER = "buyer"
    BUYER_PROVISIONER = "buyer_provisioner"
    ANALYST = "analyst"
    GROUP = "group"
    MINISTRY = "ministry"
    GATEWAY = "gateway"


ASSIGNABLE = frozenset(Role) - {Role.GATEWAY}
"""The roles that an identity provider may give to a person."""

STAFF = frozenset({Role.ADMINISTRATOR, Role.ADVISOR, Role.TEAM_LEADER})

_OF_PARTIES = frozenset({Role.FACTORY, Role.BUYER, Role.GROUP})


class Shared(msgspec.Struct, frozen=True):
    """The factories whose documents of one kind a buyer may read: of every cycle, or of one cycle only.

    ``by_cycle`` is in the order of its cycles and names no factory that ``every`` names.
    """

    every: frozenset[str] = frozenset()
    by_cycle: tuple[tuple[int, frozenset[str]], ...] = ()

    @property
    def factories(self) -> frozenset[str]:
        """The factories of which at least one cycle may be read."""
        return self.every.union(*(factories for _, factories in self.by_cycle)) if self.by_cycle else self.every

    def covers(self, factory_id: str, cycle: int | None = None) -> bool:
        """Whether a document of this factory and cycle may be read; without a cycle, whether that of any may."""
        return factory_id in self.every or any(
            cycle in {None, shared} and factory_id in factories for shared, factories in self.by_cycle
        )

    def within(self, other: "Shared") -> bool:
        """Whether the other one covers all that this one covers."""
        if self == other:
            return True
        cycles = dict(other.by_cycle)
        return self.every <= other.every and all(
            factories <= other.every | cycles.get(cycle, frozenset()) for cycle, factories in self.by_cycle
        )

    def where(self, *, factory: str, cycle: str) -> dict[str, Any]:
        """The filter of the documents port for what may be read, given the paths of a document's factory and cycle."""
        every = {factory: {"$in": sorted(self.every)}}
        some = [{factory: {"$in": sorted(factories)}, cycle: number} for number, factories in self.by_cycle]
        return {"$or": [every, *some]} if some else every


Shares = dict[ReportKind, Shared]
NOTHING_SHARED: Final = Shared()


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a country that a read may touch: every store read takes one.

    ``factories`` is ``None`` for the whole country; an empty set sees no factory at all.
    ``buyer_id`` names the buyer that the caller speaks for, and ``shares`` what factories share with it by kind.
    """

    country: str
    factories: frozenset[str] | None = frozenset()
    buyer_id: str | None = None
    shares: Shares = {}

    def sharing(self, kind: ReportKind) -> Shared | None:
        """What may be read of the documents of this kind; ``None`` for all of the whole country."""
        if self.buyer_id is not None:
            return self.shares.get(kind, NOTHING_SHARED)
        return None if self.factories is None else Shared(self.factories)

    def covers(self, factory_id: str, kind: ReportKind | None = None, cycle: int | None = None) -> bool:
        """Whether documents of this factory (of this kind, of this cycle) may be read."""
        if kind is None:
            return self.factories is None or factory_id in self.factories
        sharing = self.sharing(kind)
        return sharing is None or sharing.covers(factory_id, cycle)

    @classmethod
    def whole(cls, country: str) -> "Scope":
        """The scope of the programme itself: consumers, imports and staff."""
        return cls(country=country, factories=None)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A verified caller as the gateway hands it to a service.

    ``party_id`` is the factory, buyer or group that the user of one speaks for.
    ``user_name`` is looked for in a buyer's list of its staff; the gateway keeps it to itself.
    ``shares`` is what factories share with the buyer just now, decided by the gateway from the consent ledger; empty
    for everybody else. ``factories`` are those of the manufacturing group that a group's user speaks for, decided
    likewise.
    """

    subject: str
    name: str
    roles: frozenset[Role]
    country: str
    party_id: str | None = None
    user_name: str = ""
    shares: Shares = {}
    factories: frozenset[str] = frozenset()

    @property
    def buyer_id(self) -> str | None:
        """The buyer for which the caller sees what it sees; ``None`` for everybody else."""
        is_buyer = Role.BUYER in self.roles and not self.roles & (STAFF | {Role.FACTORY})
        return self.party_id or None if is_buyer else None

    @property
    def group_id(self) -> str | None:
        """The manufacturing group for which the caller sees what it sees; ``None`` for everybody else."""
        is_group = Role.GROUP in self.roles and not self.roles & (STAFF | {Role.FACTORY, Role.BUYER})
        return self.party_id if is_group else None

    def scope(self) -> Scope:
        """What the caller may see: staff, analysts and ministries the country, the others what is theirs or shared.

        Who speaks for a party sees what the party may see, also as an analyst: roles add up in what may be done.
        """
        if self.roles & STAFF:
            return Scope.whole(self.country)
        if Role.FACTORY in self.roles and self.party_id:
            return Scope(country=self.country, factories=frozenset({self.party_id}))
        if self.buyer_id:
            shared = frozenset[str]().union(*(each.factories for each in self.shares.values()))
            return Scope(country=self.country, factories=shared, buyer_id=self.buyer_id, shares=self.shares)
        if self.group_id:
            return Scope(country=self.country, factories=self.factories)
        if self.roles & {Role.ANALYST, Role.MINISTRY} and not self.roles & _OF_PARTIES:
            return Scope.whole(self.country)
        return Scope(country=self.country)
