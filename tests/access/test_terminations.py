"""What ends or suspends an agreement stops every grant under it, also those that come or go at the same time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contracts.identity import Role, Scope
from services.access.domain.agreement import Agreement, AgreementDoesNotCover, Side, Signature
from services.access.domain.consent.endings import revocation
from services.access.domain.consent.fold import Record
from services.access.evidence import Papers
from services.access.store.agreements import Agreements
from services.access.store.charge import Charge
from services.access.usecases import grants
from services.access.usecases.agreements import Agreeing
from services.access.usecases.consent import Consent
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.files.directory import DirectoryFiles
from tests.access.entries import NOW, TODAY, a_grant, an_agreement
from tests.access.processes import LEASE_S, Process, started
from tests.support.services import a_principal

LIN = a_principal(Role.BUYER, party_id="b1", subject="lin")
Meanwhile = Callable[[], Awaitable[object]]


def signed_by(side: Side) -> Signature:
    return Signature(side=side, name="Rana", role="owner", document_sha256="0" * 64, by="rana", at=NOW)


class Read(Agreements):
    """Agreements of which something happens once after they were read."""

    meanwhile: Meanwhile | None = None

    async def get(self, agreement_id: str, scope: Scope) -> Agreement:
        found = await super().get(agreement_id, scope)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return found


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    """A process in charge, with an agreement a1 in force."""
    async with started(Process(SqliteDocuments(tmp_path / "access.sqlite"))) as (found,):
        agreement = an_agreement(signatures=(signed_by(Side.FACTORY), signed_by(Side.BUYER)))
        kept, event = agreement.proposed(TODAY)
        await found.parties.agreements.add(kept, event, request=None)
        await found.consent.check()
        yield found


def agreeing_of(process: Process, consent: Consent) -> Agreeing:
    papers = Papers(DirectoryFiles(Path("unused"), "access"))
    return Agreeing(process.parties.agreements, process.parties, papers, process.ledger, consent, zone=ZoneInfo("UTC"))


async def terminate(process: Process) -> None:
    await agreeing_of(process, process.consent).terminate(LIN, "a1", "We part", now=NOW)


async def put(process: Process, meanwhile: Meanwhile | None = None) -> Record:
    """Give a grant that rests on the agreement, of which something happens after the agreement was read."""
    read = Read(process.documents, source="JO/access", relay=process.relay)
    read.meanwhile = meanwhile
    parties = msgspec.structs.replace(process.parties, agreements=read)
    return await grants.put(process.ledger, parties, a_grant(agreement_id="a1"), by="rana", now=NOW, today=TODAY)


async def entries(process: Process) -> list[str]:
    fold = await process.ledger.current()
    return [f"{entry.fact.kind} {getattr(entry.fact, 'reason', '')}".strip() for entry in fold.after(1, limit=99)]


async def test_a_grant_that_was_on_its_way_when_the_agreement_ended_is_never_seen(process: Process) -> None:
    with pytest.raises(AgreementDoesNotCover):
        await put(process, lambda: terminate(process))
    assert await entries(process) == ["agreement_ended We part"]


async def test_a_grant_that_came_before_the_end_ends_with_it(process: Process) -> None:
    await put(process)
    for _ in range(2):
        await terminate(process)
    assert await entries(process) == [
        "grant_given",
        "agreement_ended We part",
        "grant_revoked The agreement was terminated.",
    ]


async def test_a_termination_waits_also_for_a_grant_whose_withdrawal_is_on_its_way(process: Process) -> None:
    await put(process)
    known = await process.consent.follow("gateway", after=0, entry_hash="", wait_s=0)
    await process.ledger.append(lambda fold: revocation(fold, "g1"), by="rana", at=NOW)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await terminate(process)
    assert known.lease_s == LEASE_S
    assert loop.time() - began > LEASE_S * 0.8


async def test_a_suspension_waits_also_for_leases_of_an_earlier_process_that_know_a_grant_on_its_way_out(
    process: Process,
) -> None:
    await put(process)
    late = Consent(process.ledger, Charge(process.documents, lease_s=LEASE_S), lease_s=LEASE_S)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await late.check()
    await process.ledger.append(lambda fold: revocation(fold, "g1"), by="rana", at=NOW)
    await agreeing_of(process, late).suspend(LIN, "a1", "A dispute", now=NOW)
    assert loop.time() - began > LEASE_S * 0.8
