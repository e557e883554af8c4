"""Whose things a caller sees, by the roles that the caller has."""

import pytest

from contracts.identity import Principal, Role, Scope, Shared
from contracts.vocabulary import ReportKind

SHARES = {ReportKind.ASSESSMENT: Shared(frozenset({"f1"}))}
WHOLE = Scope.whole("JO")
NOTHING = Scope(country="JO")
OWN = Scope(country="JO", factories=frozenset({"p1"}))
SHARED = Scope(country="JO", factories=frozenset({"f1"}), buyer_id="p1", shares=SHARES)
GROUPED = Scope(country="JO", factories=frozenset({"f2", "f3"}))


def seen(*roles: Role, party_id: str | None = "p1") -> Scope:
    decided = {"shares": SHARES, "factories": frozenset({"f2", "f3"})}
    return Principal(
        subject="s",
        name="S",
        country="JO",
        roles=frozenset(roles),
        party_id=party_id,
        **decided,  # type: ignore[arg-type]
    ).scope()


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.ADVISOR, WHOLE),
        (Role.ANALYST, WHOLE),
        (Role.MINISTRY, WHOLE),
        (Role.FACTORY, OWN),
        (Role.BUYER, SHARED),
        (Role.GROUP, GROUPED),
        (Role.BUYER_PROVISIONER, NOTHING),
        (Role.GATEWAY, NOTHING),
    ],
)
def test_each_role_sees_its_part_of_the_country(role: Role, expected: Scope) -> None:
    assert seen(role) == expected


@pytest.mark.parametrize("role", [Role.FACTORY, Role.BUYER, Role.GROUP])
@pytest.mark.parametrize("other", [Role.ANALYST, Role.MINISTRY])
def test_who_speaks_for_a_party_sees_no_more_for_being_an_analyst_too(role: Role, other: Role) -> None:
    assert seen(role, other) == seen(role)
    assert seen(role, other, party_id=None) == NOTHING


def test_who_speaks_for_a_factory_or_a_buyer_sees_nothing_as_a_group() -> None:
    assert seen(Role.FACTORY, Role.GROUP) == OWN
    assert seen(Role.BUYER, Role.GROUP) == SHARED
