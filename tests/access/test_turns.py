"""Who writes about one buyer's staff, or one factory's group, waits for nobody else, and for the same only so long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.identity import Principal, Role
from services.access.domain.buyer import Buyer
from services.access.domain.member import Member, Profile
from services.access.domain.party import Factory
from services.access.store.members import Members
from services.access.usecases.groups import NO_GROUP, Grouping
from services.access.usecases.members import Staff
from services.runtime.documents import Documents
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.relay import Relay
from services.runtime.unavailable import StoreUnavailable
from tests.access.entries import NOW
from tests.access.processes import Process, started
from tests.support.services import a_principal

ANA = Profile(user_name="ana")


def directory(buyer_id: str) -> Principal:
    return a_principal(Role.BUYER_PROVISIONER, party_id=buyer_id, subject=f"directory-{buyer_id}")


class Stuck(Members):
    """Members of which those of the buyer b1 are written late."""

    def __init__(self, documents: Documents, relay: Relay) -> None:
        super().__init__(documents, source="JO/access", relay=relay)
        self.is_asked, self.may_go = asyncio.Event(), asyncio.Event()

    async def add(self, member: Member) -> None:
        if member.buyer_id == "b1":
            self.is_asked.set()
            await self.may_go.wait()
        await super().add(member)


class Staffed(Process):
    """One process of access with the staff of its buyers."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents)
        self.members = Stuck(documents, self.relay)
        self.staff = Staff(self.members, self.buyers, self.ledger, self.consent)


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Staffed]:
    async with started(Staffed(SqliteDocuments(tmp_path / "access.sqlite"))) as (found,):
        await found.buyers.register(Buyer(id="b2", name="b2"), request=None)
        yield found


async def test_the_staff_of_a_buyer_waits_for_no_other_buyer_s(
    process: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.access.usecases.turns.PATIENCE_S", 0.05)
    members, staff = process.members, process.staff
    stuck = asyncio.create_task(staff.admit(directory("b1"), "m1", ANA, is_active=True, now=NOW))
    await members.is_asked.wait()
    assert (await staff.admit(directory("b2"), "m2", ANA, is_active=True, now=NOW)).is_active
    with pytest.raises(StoreUnavailable):
        await staff.admit(directory("b1"), "m3", ANA, is_active=True, now=NOW)
    members.may_go.set()
    assert (await stuck).is_active


async def test_a_factory_s_move_waits_for_no_other_factory_s(process: Staffed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.access.usecases.turns.PATIENCE_S", 0.05)
    grouping = Grouping(process.parties.factories, process.ledger, process.consent)
    moved = Factory(id="f2", original_id="f2", name="f2", country="JO", industry="C14", time_zone="Asia/Amman")
    is_asked, may_go = asyncio.Event(), asyncio.Event()

    async def late() -> Factory:
        is_asked.set()
        await may_go.wait()
        return moved

    async def at_once() -> Factory:
        return moved

    stuck = asyncio.create_task(grouping.moved("f1", NO_GROUP, late, by="amir", now=NOW))
    await is_asked.wait()
    assert await grouping.moved("f2", NO_GROUP, at_once, by="amir", now=NOW) == moved
    with pytest.raises(StoreUnavailable):
        await grouping.moved("f1", NO_GROUP, at_once, by="amir", now=NOW)
    may_go.set()
    assert await stuck == moved
