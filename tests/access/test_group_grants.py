"""A manufacturing group grants for a factory only what the factory lets it, up to the moment of the entry."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from contracts.errors import NotFound
from contracts.identity import Role, Scope
from services.access.domain.consent.facts import GroupJoined
from services.access.domain.consent.fold import Record
from services.access.domain.party import Because, Factory
from services.access.store.parties import Factories
from services.access.usecases import grants
from services.runtime.documents.sqlite import SqliteDocuments
from tests.access.entries import NOW, TODAY, a_grant
from tests.access.processes import Process, started
from tests.support.services import a_principal

GROUP = msgspec.structs.replace(a_principal(Role.GROUP, party_id="o1"), factories=frozenset({"f1"}))
WHY = Because(reason="The factory asked for it", on=TODAY, by="amir", at=NOW)


class Read(Factories):
    """Factories of which something happens once after one was read."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def get(self, factory_id: str, scope: Scope) -> Factory:
        found = await super().get(factory_id, scope)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return found


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    """A process in charge, and a factory f1 of the group o1, which it lets grant."""
    async with started(Process(SqliteDocuments(tmp_path / "access.sqlite"))) as (found,):
        factory = Factory(
            id="f1",
            original_id="f1",
            name="f1",
            country="JO",
            industry="C14",
            time_zone="Asia/Amman",
            group_id="o1",
            owner_may_grant=True,
        )
        await found.parties.factories.register(factory, request=None)
        await found.ledger.append(lambda _: GroupJoined(factory_id="f1", group_id="o1"), by="amir", at=NOW)
        await found.consent.check()
        yield found


async def withdraw(process: Process) -> None:
    """The factory lets its group grant no more."""
    await process.parties.factories.change("f1", lambda factory: factory.changed({"owner_may_grant": False}, WHY))


async def give(process: Process, meanwhile: Callable[[], Awaitable[object]] | None = None) -> Record:
    read = Read(process.documents, source="JO/access", relay=process.relay)
    read.meanwhile = meanwhile
    parties = msgspec.structs.replace(process.parties, factories=read)
    return await grants.give(process.ledger, process.consent, parties, GROUP, a_grant(), now=NOW, today=TODAY)


async def test_what_was_written_while_the_factory_withdrew_the_permission_is_taken_back_before_the_answer(
    process: Process,
) -> None:
    with pytest.raises(NotFound):
        await give(process, lambda: withdraw(process))
    record = (await process.ledger.current()).record("g1")
    assert record is not None
    assert record.ended_epoch == record.epoch + 1


async def test_what_the_group_gave_before_stays_also_when_it_asks_again_meanwhile(process: Process) -> None:
    given = await give(process)
    assert await give(process, lambda: withdraw(process)) == given
    with pytest.raises(NotFound):
        await give(process)
    assert (await process.ledger.current()).record("g1") == given
