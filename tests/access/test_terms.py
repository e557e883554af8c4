"""The terms of the programme: everybody reads them, parties accept a version, and who did is on record."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from contracts.identity import Principal, Role
from services.access.domain.terms import Terms
from services.access.store.organisations import TermsRecords
from tests.access.parties import ADMIN, ADVISOR, BUYER, FACTORY, OTHER_BUYER, OTHER_FACTORY, access
from tests.support.services import Running, a_principal, signed

TERMS: Final = "/api/v1/terms"
ACCEPTANCES: Final = "/api/v1/terms-acceptances"
PDF: Final = b"%PDF-1.7\nThe terms.\n%%EOF\n"
SHA256: Final = hashlib.sha256(PDF).hexdigest()
ACCEPTED: Final = {"terms_version": "v1", "document_sha256": SHA256, "name": "Rana", "role": "owner"}
PEOPLE: Final = (
    ADMIN,
    ADVISOR,
    FACTORY,
    BUYER,
    *(a_principal(role) for role in (Role.TEAM_LEADER, Role.ANALYST, Role.MINISTRY)),
    a_principal(Role.GROUP, party_id="g1"),
)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def publish(
    service: Running, version: str = "v1", content: bytes = PDF, caller: Principal = ADMIN
) -> httpx.Response:
    return await service.http.post(f"{TERMS}?version={version}", headers=signed(caller), content=content)


async def kept_files(service: Running) -> int:
    return len([key async for key in service.service.ports.files.list("terms/")])


def records_of(service: Running) -> TermsRecords:
    found: Any = service.service.app.litestar.dependencies["terms_records"]
    records: TermsRecords = found.dependency()
    return records


async def test_terms_are_accepted_by_version_and_what_is_missing_is_told(service: Running) -> None:
    assert (await service.post(ACCEPTANCES, FACTORY, ACCEPTED)).json()["code"] == "terms_differ"
    assert (await publish(service)).status_code == 201
    assert (await service.get(ACCEPTANCES, FACTORY)).json()["missing"] == "v1"
    wrong = await service.post(ACCEPTANCES, FACTORY, {**ACCEPTED, "document_sha256": "b" * 64})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "terms_differ")
    told = [(await service.post(ACCEPTANCES, FACTORY, ACCEPTED)).json() for _ in range(2)]
    assert told[0] == told[1]
    assert (told[0]["party_id"], told[0]["accepted_by"], told[0]["name"]) == ("f1", "someone", "Rana")
    assert (await service.get(ACCEPTANCES, FACTORY)).json()["missing"] is None
    assert (await service.get(ACCEPTANCES, OTHER_FACTORY)).json()["items"] == []
    assert (await service.get(ACCEPTANCES, BUYER)).json()["missing"] == "v1"
    await service.post(ACCEPTANCES, OTHER_BUYER, ACCEPTED)
    assert {item["party_id"] for item in (await service.get(ACCEPTANCES, ADMIN)).json()["items"]} == {"f1", "b2"}
    await publish(service, "v2", PDF + b"More.")
    assert (await service.get(ACCEPTANCES, FACTORY)).json()["missing"] == "v2"


async def test_everybody_reads_every_version_of_the_terms(service: Running) -> None:
    await publish(service)
    await publish(service, "v2", PDF + b"More.")
    for caller in PEOPLE:
        page = (await service.get(TERMS, caller)).json()
        assert ([item["version"] for item in page["items"]], page["current"]["version"]) == (["v2", "v1"], "v2")
        answer = await service.get(f"{TERMS}/v1/document", caller)
        assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert page["items"][1]["document_sha256"] == SHA256
    assert (await service.get(f"{TERMS}/v3/document", FACTORY)).status_code == 404


async def test_a_version_has_one_text_and_the_same_again_changes_nothing(service: Running) -> None:
    assert (await service.get(TERMS, FACTORY)).json() == {"items": [], "next_cursor": None, "current": None}
    first, again = [(await publish(service)).json() for _ in range(2)]
    assert first == again
    assert (await publish(service, "v1", PDF + b"More.")).status_code == 409
    assert await kept_files(service) == 1
    assert (await service.get(f"{TERMS}/v1/document", FACTORY)).content == PDF


@pytest.mark.parametrize(
    ("version", "content", "caller", "status"),
    [
        ("v1", b"", ADMIN, 400),
        ("v1", b"\x89PNG\r\n\x1a\n", ADMIN, 400),
        ("v.1", PDF, ADMIN, 400),
        ("v1", b"%PDF-" + b"0" * 16_000_000, ADMIN, 413),
        ("v1", PDF, ADVISOR, 403),
        ("v1", PDF, FACTORY, 403),
        ("v1", PDF, BUYER, 403),
    ],
)
async def test_what_is_no_document_of_the_terms_is_not_published(
    service: Running, version: str, content: bytes, caller: Principal, status: int
) -> None:
    assert (await publish(service, version, content, caller)).status_code == status
    assert (await service.get(TERMS, ADMIN)).json()["items"] == []
    assert await kept_files(service) == 0


async def test_what_an_earlier_release_published_is_accepted_once_its_document_can_be_read(service: Running) -> None:
    earlier = Terms(version="v1", document_sha256=SHA256, published_at=datetime(2025, 1, 1, tzinfo=UTC))
    await records_of(service).publish(earlier)
    assert (await service.get(TERMS, FACTORY)).json()["current"]["has_document"] is False
    assert (await service.get(f"{TERMS}/v1/document", FACTORY)).status_code == 404
    assert (await service.post(ACCEPTANCES, FACTORY, ACCEPTED)).json()["code"] == "terms_differ"
    assert (await publish(service, "v1", PDF + b"More.")).status_code == 409
    answer = (await publish(service)).json()
    assert (answer["has_document"], answer["published_at"]) == (True, "2025-01-01T00:00:00Z")
    assert (await service.post(ACCEPTANCES, FACTORY, ACCEPTED)).status_code == 201
