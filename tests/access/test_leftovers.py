"""A signed paper that no document names does not stay: it names a person, and nobody could ever find it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from uuid_utils.compat import uuid4, uuid7

from services.access.domain.paper import ConsentPaper, kept_at
from services.access.evidence import Papers
from services.access.store.papers import ConsentPapers
from services.access.usecases.leftovers import EVERY, Leftovers
from services.access.usecases.papers import PaperConsent
from services.runtime.unavailable import StoreUnavailable
from tests.access.parties import FACTORY, access
from tests.access.scans import LEADER, PNG, upload
from tests.access.test_agreements import A1, AGREEMENTS, PDF, an_agreement
from tests.access.test_agreements import upload as upload_document
from tests.support.services import Running

LATER = timedelta(days=1, minutes=1)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def keys(service: Running, prefix: str = "") -> list[str]:
    return [key async for key in service.service.ports.files.list(prefix)]


async def put(service: Running, key: str) -> None:
    """A file as a crash leaves it, whose document was never written."""

    async def chunks() -> AsyncIterator[bytes]:
        yield PNG

    await service.service.ports.files.put(key, chunks(), content_type="image/png", max_bytes=100)


def leftovers_of(service: Running) -> Leftovers:
    ports = service.service.ports
    relay, parties = service.service.relay, service.service.app.litestar.dependencies["parties"].dependency()  # type: ignore[union-attr]
    return Leftovers(
        Papers(ports.files), ConsentPapers(ports.documents, source="JO/access", relay=relay), parties.agreements
    )


class Silent(ConsentPapers):
    """A store that falls silent while a scan is noted."""

    async def add(self, paper: ConsentPaper) -> None:
        raise StoreUnavailable(paper.id)


async def test_a_scan_that_no_document_came_to_name_is_gone_after_a_day_and_others_stay(service: Running) -> None:
    named = (await upload(service)).json()["id"]
    ports, dependencies = service.service.ports, service.service.app.litestar.dependencies
    silent = Silent(ports.documents, source="JO/access", relay=service.service.relay)
    parts = [dependencies[name].dependency() for name in ("parties", "ledger", "consent", "access_requests")]  # type: ignore[union-attr]
    broken = PaperConsent(silent, Papers(ports.files), *parts)

    async def body() -> AsyncIterator[bytes]:
        yield PNG

    now = datetime.now(UTC)
    with pytest.raises(StoreUnavailable):
        await broken.keep(LEADER, "f1", str(uuid7()), body(), now=now)
    assert len(await keys(service, "consents/")) == 2
    leftovers = leftovers_of(service)
    await leftovers.sweep(now=now)
    assert len(await keys(service, "consents/")) == 2
    await leftovers.sweep(now=now + LATER)
    assert await keys(service, "consents/") == [f"consents/{named}"]


async def test_what_a_crash_left_of_an_agreement_goes_and_its_document_stays(service: Running) -> None:
    assert (await service.post(AGREEMENTS, FACTORY, an_agreement())).status_code == 201
    await upload_document(service, f"{A1}/document", FACTORY)
    (document,) = await keys(service, "agreements/")
    for owner in ("a1", "nothing"):
        await put(service, f"agreements/{owner}/{uuid7()}")
    await leftovers_of(service).sweep(now=datetime.now(UTC) + LATER)
    assert await keys(service, "agreements/") == [document]


async def test_nothing_is_removed_when_the_documents_are_not_those_of_the_files(service: Running) -> None:
    await put(service, f"consents/{uuid7()}")
    await leftovers_of(service).sweep(now=datetime.now(UTC) + LATER)
    assert len(await keys(service, "consents/")) == 1


async def test_it_is_looked_for_a_few_times_a_day(service: Running) -> None:
    await upload(service)
    leftovers, now = leftovers_of(service), datetime.now(UTC) + LATER
    await leftovers.sweep(now=now)
    await put(service, f"consents/{uuid7()}")
    for after, count in ((timedelta(minutes=1), 2), (EVERY, 1)):
        await leftovers.sweep(now=now + after)
        assert len(await keys(service, "consents/")) == count


async def test_of_documents_that_are_added_at_once_one_stays(service: Running) -> None:
    assert (await service.post(AGREEMENTS, FACTORY, an_agreement())).status_code == 201
    drafts = [PDF + str(number).encode() for number in range(6)]
    path = f"{A1}/document"
    answers = await asyncio.gather(*(upload_document(service, path, FACTORY, draft) for draft in drafts))
    assert {answer.status_code for answer in answers} == {201}
    assert len(await keys(service, "agreements/")) == 1
    assert (await service.get(path, FACTORY)).content in drafts


def test_a_key_that_tells_no_time_is_of_no_age() -> None:
    assert [kept_at(key) for key in ("consents/x", f"consents/{uuid4()}")] == [None, None]
    at = kept_at(f"consents/{uuid7()}")
    assert at is not None
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
