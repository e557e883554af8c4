"""The people of the demo country, for the development issuer: who they are and for whom they speak."""

from typing import Final

import msgspec

from contracts.identifiers import derived_id
from contracts.identity import Role

COUNTRY: Final = "JO"
TIME_ZONE: Final = "Asia/Amman"
FACTORIES: Final = 60
BUYERS: Final = 8


class Person(msgspec.Struct, frozen=True):
    """A demo user: ``party_id`` is the factory, buyer or group that the user speaks for, if any."""

    user: str
    name: str
    roles: tuple[Role, ...]
    party_id: str | None = None


def factory_id(number: int) -> str:
    """The id of the demo factory with this number, counted from 1."""
    return derived_id("demo", COUNTRY, "factory", str(number))


def buyer_id(number: int) -> str:
    """The id of the demo buyer with this number, counted from 1."""
    return derived_id("demo", COUNTRY, "buyer", str(number))


GROUP: Final = Person("group-1", "Group A", (Role.GROUP,), derived_id("demo", COUNTRY, "group", "1"))
STAFF: Final = (
    Person("admin", "Programme administrator", (Role.ADMINISTRATOR,)),
    Person("advisor-1", "Advisor Rania", (Role.ADVISOR,)),
    Person("advisor-2", "Advisor Omar", (Role.ADVISOR,)),
    Person("leader", "Team leader", (Role.TEAM_LEADER,)),
    Person("analyst", "Analyst", (Role.ANALYST,)),
)

PEOPLE: Final = (
    *STAFF,
    *(Person(f"factory-{n}", f"Factory {n}", (Role.FACTORY,), factory_id(n)) for n in range(1, FACTORIES + 1)),
    *(Person(f"buyer-{n}", f"Buyer {n}", (Role.BUYER,), buyer_id(n)) for n in range(1, BUYERS + 1)),
    GROUP,
)
