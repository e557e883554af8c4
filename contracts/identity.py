"""Who is asking, and what of the country they may see."""

from enum import StrEnum

import msgspec

from contracts.vocabulary import ReportKind


class Role(StrEnum):
    """What a person does in the programme; a person may hold several."""

    ADMINISTRATOR = "administrator"
    ADVISOR = "advisor"
    TEAM_LEADER = "team_leader"
    FACTORY = "factory"
    BUYER = "buyer"
    ANALYST = "analyst"
    GATEWAY = "gateway"


ASSIGNABLE = frozenset(Role) - {Role.GATEWAY}
"""The roles that an identity provider may give to a person."""

STAFF = frozenset({Role.ADMINISTRATOR, Role.ADVISOR, Role.TEAM_LEADER})


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a country that a read may touch: every store read takes one.

    ``factories`` is ``None`` for the whole country; an empty set sees no factory at all.
    ``buyer_id`` names the buyer that the caller speaks for, and ``shares`` what factories share with it by kind.
    """

    country: str
    factories: frozenset[str] | None = frozenset()
    buyer_id: str | None = None
    shares: dict[ReportKind, frozenset[str]] = {}

    def factories_for(self, kind: ReportKind) -> frozenset[str] | None:
        """The factories whose documents of this kind may be read; ``None`` for the whole country."""
        return self.factories if self.buyer_id is None else self.shares.get(kind, frozenset())

    def covers(self, factory_id: str, kind: ReportKind | None = None) -> bool:
        """Whether documents of this factory (of this kind) may be read."""
        factories = self.factories if kind is None else self.factories_for(kind)
        return factories is None or factory_id in factories

    @classmethod
    def whole(cls, country: str) -> "Scope":
        """The scope of the programme itself: consumers, imports and staff."""
        return cls(country=country, factories=None)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A verified caller as the gateway hands it to a service.

    ``party_id`` is the factory or buyer that a factory or buyer user speaks for.
    ``shares`` are the factories that share a kind of report with the buyer just now, decided by the gateway from
    the consent ledger; empty for everybody else.
    """

    subject: str
    name: str
    roles: frozenset[Role]
    country: str
    party_id: str | None = None
    shares: dict[ReportKind, frozenset[str]] = {}

    def scope(self) -> Scope:
        """What the caller may see: staff and analysts the country, a factory itself, a buyer what was granted."""
        if self.roles & STAFF or Role.ANALYST in self.roles:
            return Scope.whole(self.country)
        if Role.FACTORY in self.roles and self.party_id:
            return Scope(country=self.country, factories=frozenset({self.party_id}))
        if Role.BUYER in self.roles and self.party_id:
            shared = frozenset().union(*self.shares.values())
            return Scope(country=self.country, factories=shared, buyer_id=self.party_id, shares=self.shares)
        return Scope(country=self.country)
