"""Consent on paper: staff record it with the scan of what was signed, the factory sees and revokes it."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.access import GrantGivenV1
from contracts.identity import Principal, Role
from services.access.domain.receipt import verified_receipt
from tests.access.disclosed import notices
from tests.access.parties import ADMIN, ADVISOR, BUYER, FACTORY, OTHER_FACTORY, access
from tests.access.scans import LEADER, PAPERS, PNG, RANA, record, upload
from tests.support.services import Running, a_principal, signed


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def test_what_a_factory_signed_on_paper_is_a_grant_with_the_digest_of_the_scan(service: Running) -> None:
    scan = (await upload(service)).json()
    assert scan["content_type"] == "image/png"
    for _ in range(2):
        answer = await record(service, scan["id"])
        assert answer.status_code == 201
    grant = (await service.get("/api/v1/grants/g1", FACTORY)).json()
    assert (grant["document_sha256"], grant["approved_by"]["name"]) == (scan["sha256"], "Rana")
    (event,) = {each.grant_id: each for each in await service.until_announced(GrantGivenV1)}.values()
    assert event.is_on_paper
    revoked = await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))
    assert revoked.status_code == 204


async def test_the_buyer_learns_neither_the_scan_nor_its_digest(service: Running) -> None:
    scan = (await upload(service)).json()
    await record(service, scan["id"])
    grant = (await service.get("/api/v1/grants/g1", BUYER)).json()
    assert (grant["document_sha256"], grant["approved_by"]) == ("", None)
    assert (await service.get(f"{PAPERS}/{scan['id']}", BUYER)).status_code == 404
    assert (await service.get(PAPERS, BUYER)).status_code == 403


@pytest.mark.parametrize(
    ("caller", "status"), [(ADMIN, 200), (LEADER, 200), (FACTORY, 200), (OTHER_FACTORY, 404), (ADVISOR, 404)]
)
async def test_the_scan_is_read_by_the_factory_and_the_programme(
    service: Running, caller: Principal, status: int
) -> None:
    scan = (await upload(service)).json()
    answer = await service.get(f"{PAPERS}/{scan['id']}", caller)
    assert answer.status_code == status
    assert (answer.content == PNG) == (status == 200)


async def test_a_person_of_a_factory_who_is_a_buyer_too_sees_no_scan_of_other_factories(service: Running) -> None:
    scan = (await upload(service)).json()
    both = a_principal(Role.ADVISOR, Role.FACTORY, party_id="f2")
    assert (await service.get(f"{PAPERS}/{scan['id']}", both)).status_code == 404
    assert (await service.get(PAPERS, both)).json()["items"] == []


@pytest.mark.parametrize("caller", [ADVISOR, FACTORY, BUYER])
async def test_only_staff_with_the_permission_record_for_a_factory(service: Running, caller: Principal) -> None:
    scan = (await upload(service)).json()
    assert (await upload(service, caller)).status_code == 403
    assert (await record(service, scan["id"], caller)).status_code == 404
    assert (await service.get("/api/v1/grants", ADMIN)).json()["items"] == []


async def test_nothing_is_recorded_without_a_scan_or_without_who_signed(service: Running) -> None:
    scan = (await upload(service)).json()
    assert (await record(service, "nothing")).status_code == 404
    assert (await record(service, scan["id"], approved_by=None)).status_code == 400
    assert (await record(service, scan["id"], purpose=" ")).status_code == 400
    direct = {"id": "g1", "factory_id": "f1", "buyer_id": "b1", "purpose": "review", "approved_by": RANA}
    assert (await service.post("/api/v1/grants", LEADER, direct)).status_code == 403


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"GIF89a", 400), (b"PK\x03\x04", 400), (b"\x89PNG\r\n\x1a\n" + b"0" * 16_000_000, 413)],
)
async def test_a_scan_is_told_by_its_bytes_and_has_an_end(service: Running, content: bytes, status: int) -> None:
    assert (await upload(service, content=content)).status_code == status
    assert [key async for key in service.service.ports.files.list("consents/")] == []


async def test_a_scan_is_of_a_factory_that_exists(service: Running) -> None:
    assert (await upload(service, factory_id="nowhere")).status_code == 404


async def test_a_consent_that_staff_invented_is_told_to_the_factory_which_holds_the_scan_against_it(
    service: Running,
) -> None:
    scan = (await upload(service, content=PNG + b"invented")).json()
    assert (await record(service, "no-scan")).status_code == 404
    await record(service, scan["id"], approved_by={"name": "Nobody here"})
    (notice,) = await notices(service)
    assert (notice["kind"], notice["record_id"], notice["buyer_id"]) == ("consent_recorded", "g1", "b1")
    (shown,) = (await service.get(PAPERS, FACTORY)).json()["items"]
    content = (await service.get(f"{PAPERS}/{shown['id']}", FACTORY)).content
    to_factory, to_programme = [
        verified_receipt((await service.get("/api/v1/grants/g1/receipt", caller)).content).proof.entries[-1].disclosed
        for caller in (FACTORY, ADMIN)
    ]
    assert to_factory["document_sha256"].value == hashlib.sha256(content).hexdigest()
    assert to_factory["approver_name"].value == "Nobody here"
    assert to_programme["by"].value == LEADER.subject
    assert (await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))).status_code == 204
