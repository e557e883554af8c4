"""A member whose new name a crash cut short acts again by itself, unless the directory wanted otherwise meanwhile."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from contracts.errors import NotFound
from contracts.identity import Role
from services.access.domain.member import Member, Profile
from services.access.store.members import Members
from services.access.usecases.members import Staff
from services.runtime.documents import Documents
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.unavailable import StoreUnavailable
from tests.access.entries import NOW
from tests.access.processes import Process, started
from tests.support.services import a_principal

DIRECTORY = a_principal(Role.BUYER_PROVISIONER, party_id="b1", subject="directory-1")
OLD, NEW = Profile(user_name="ana"), Profile(user_name="ana.lim")


class Dying(Members):
    """Members whose process dies while another name is written, before that or after it."""

    dies: str = ""

    async def change(self, member_id: str, decide: Callable[[Member], Member]) -> Member:
        def decided(member: Member) -> Member:
            found = decide(member)
            if found.key != member.key and self.dies == "before":
                raise StoreUnavailable("dead")
            self.is_renamed = found.key != member.key
            return found

        kept = await super().change(member_id, decided)
        if self.is_renamed and self.dies == "after":
            raise StoreUnavailable("dead")
        return kept


class Staffed(Process):
    """One process of access with the staff of its buyers."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(documents)
        self.members = Dying(documents, source="JO/access", relay=self.relay)
        self.staff = Staff(self.members, self.buyers, self.ledger, self.consent)

    async def describe(self, profile: Profile, *, is_active: bool | None = None) -> None:
        await self.staff.describe(DIRECTORY, "m1", profile, is_active=is_active, now=NOW)

    async def acting(self) -> list[str]:
        """The names of those who may act for the buyer."""
        fold = await self.ledger.current()
        return [name for name in ("ana", "ana.lim") if fold.visible.is_member("b1", name)]


@pytest.fixture(params=["before", "after"])
async def process(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Staffed]:
    """A process that comes after one that died while it gave the member m1 another name."""
    async with started(Staffed(SqliteDocuments(tmp_path / "access.sqlite"))) as (found,):
        await found.staff.admit(DIRECTORY, "m1", OLD, is_active=True, now=NOW)
        found.members.dies = request.param
        with pytest.raises(StoreUnavailable):
            await found.describe(NEW)
        found.members.dies = ""
        assert await found.acting() == []
        yield found


async def test_the_member_acts_again_by_itself_under_the_name_that_is_known(process: Staffed) -> None:
    known = (await process.staff.read(DIRECTORY, "m1")).member.key
    for _ in range(2):
        await process.staff.sweep(now=NOW)
        assert await process.acting() == [known]


async def test_the_same_request_again_brings_the_new_name(process: Staffed) -> None:
    await process.describe(NEW)
    await process.staff.sweep(now=NOW)
    assert await process.acting() == ["ana.lim"]


async def test_who_was_deactivated_meanwhile_does_not_act_again(process: Staffed) -> None:
    await process.describe(NEW, is_active=False)
    await process.staff.sweep(now=NOW)
    assert await process.acting() == []


async def test_who_was_dismissed_meanwhile_does_not_act_again(process: Staffed) -> None:
    await process.staff.dismiss(DIRECTORY, "m1", now=NOW)
    await process.staff.sweep(now=NOW)
    assert await process.acting() == []
    with pytest.raises(NotFound):
        await process.staff.read(DIRECTORY, "m1")
