"""Who has a second role acts for a buyer as its other people do: under the lease, as a member, and on record."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.identity import Role
from contracts.reporting import ReportReleasedV1
from contracts.vocabulary import ReportKind
from gateway.dev_issuer import DevUser
from gateway.inprocess import InProcessUpstream
from tests.access.parties import FACTORY, sharing_access
from tests.gateway.running import DOCUMENT, Door, Got, a_gateway, everywhere
from tests.gateway.test_members import PEOPLE, admitted, until_shown
from tests.support.eventually import eventually
from tests.support.services import Running

BOTH = frozenset({Role.BUYER, Role.FACTORY})
USERS = (
    *PEOPLE,
    DevUser("advising", "An advisor who also works for the buyer", frozenset({Role.BUYER, Role.ADVISOR}), "b1"),
    DevUser("two-sided", "Factory and buyer, and no word for which of the two", BOTH, "b1"),
    DevUser("bound", "Factory and buyer, bound to the buyer", BOTH, "buyer:b1"),
    DevUser("stray", "A buyer's person whom nobody gave a buyer", frozenset({Role.BUYER})),
    DevUser("strayed", "An analyst with a buyer's role and no buyer", frozenset({Role.BUYER, Role.ANALYST})),
)
CHANGES = "/api/v1/changes"
MORE: dict[str, Any] = {CHANGES: {"get": {}}, "/api/v1/statement": {"get": {}}, "/api/v1/purchases": {"get": {}}}
AS_BUYER = {"star-party": "b1"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access where a report that f1 shares with b1 was released."""
    released = ReportReleasedV1(
        report_id="r1", factory_id="f1", kind=ReportKind.ASSESSMENT, cycle=1, visit_id="v1", released_on="2026-01-01"
    )
    async with sharing_access(tmp_path / "access") as running:
        await running.deliver(released, subject="r1")
        yield running


@pytest.fixture
async def door(service: Running, tmp_path: Path) -> AsyncIterator[Door]:
    document = {"paths": {**DOCUMENT["paths"], **MORE}}
    upstreams = everywhere(InProcessUpstream(service.service.app))
    async with a_gateway(tmp_path, upstreams, dev_users=USERS, document=document) as found:
        await until_shown(found, "buyer")
        yield found


def code(got: Got) -> tuple[int, str]:
    return got.status, got.json()["code"]


@pytest.mark.parametrize("user", ["advising", "bound"])
async def test_it_sees_what_the_buyer_sees_on_record(service: Running, door: Door, user: str) -> None:
    got = await door.ask("GET", CHANGES, user, headers=AS_BUYER)
    assert (got.status, [item["document_id"] for item in got.json()["items"]]) == (200, ["r1"])
    assert "star-epoch" in got.headers
    reads = (await service.get("/api/v1/reads", FACTORY)).json()["items"]
    assert user in str(reads)


@pytest.mark.parametrize("user", ["advising", "bound"])
async def test_it_sees_nothing_without_a_lease_or_when_it_is_not_of_the_staff(door: Door, user: str) -> None:
    await admitted(door, "colleague")
    for path in (CHANGES, "/api/v1/statement", "/api/v1/grants"):
        assert code(await door.ask("GET", path, user, headers=AS_BUYER)) == (403, "not_a_member")
    await door.gateway._follower.stop()
    replica = door.gateway.app._proxy._replica
    await eventually(lambda: replica.lease_left_s() <= 0, saying="the lease runs out")
    assert code(await door.ask("GET", CHANGES, user, headers=AS_BUYER)) == (503, "consent_unknown")


async def test_for_the_programme_it_sees_nothing_of_the_buyer(door: Door) -> None:
    assert (await door.ask("GET", "/api/v1/factories", "advising")).status == 200
    for path in (CHANGES, "/api/v1/statement", "/api/v1/purchases", "/api/v1/grants"):
        assert code(await door.ask("GET", path, "advising")) == (403, "not_permitted")


async def test_who_does_not_say_for_which_kind_of_party_is_refused(door: Door) -> None:
    for path in (CHANGES, "/api/v1/statement", "/api/v1/factories/f1"):
        assert code(await door.ask("GET", path, "two-sided")) == (403, "party_role_needed")


@pytest.mark.parametrize("user", ["stray", "strayed"])
async def test_a_role_of_a_party_without_a_party_is_none(door: Door, user: str) -> None:
    for path in (CHANGES, "/api/v1/statement", "/api/v1/factories/f1"):
        assert code(await door.ask("GET", path, user)) == (403, "no_party")
