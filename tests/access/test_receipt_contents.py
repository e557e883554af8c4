"""What a receipt tells: the fields of TS 27560 as far as they are known, to each reader what it may know."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from contracts.identity import Principal
from contracts.ledger import LedgerKey
from deploy.schemas import SCHEMAS
from services.access.domain.disclosure_receipt import TOLD_TO_BUYER, TOLD_TO_FACTORY
from services.access.domain.receipt import PrivacyNotice, Receipt, verified_receipt
from tests.access.parties import ADMIN, BUYER, FACTORY, a_grant, access
from tests.access.scans import record, upload
from tests.access.test_agreements import NEXT_YEAR, agreed
from tests.access.test_disclosing import a_disclosed_fold, the_receipt
from tests.access.test_terms import publish
from tests.support.services import LEDGER_KEY, Running, signed

READERS = pytest.mark.parametrize("caller", [ADMIN, FACTORY, BUYER], ids=["programme", "factory", "buyer"])


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        person = {"name": "Rana", "role": "owner"}
        await running.post("/api/v1/grants", FACTORY, a_grant(purpose="Due diligence", approved_by=person))
        yield running


async def content(service: Running, caller: Principal, grant_id: str = "g1") -> bytes:
    answer = await service.get(f"/api/v1/grants/{grant_id}/receipt", caller)
    assert answer.status_code == 200
    return answer.content


async def receipt(service: Running, caller: Principal, grant_id: str = "g1") -> Receipt:
    return verified_receipt(await content(service, caller, grant_id), anchor=LedgerKey(LEDGER_KEY).id)


def departures(name: str, told: bytes) -> list[str]:
    """Where a receipt departs from the committed schema."""
    schema: dict[str, Any] = msgspec.json.decode((SCHEMAS / f"{name}.schema.json").read_bytes())
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(msgspec.json.decode(told))]


@READERS
async def test_a_receipt_is_what_its_schema_says(service: Running, caller: Principal) -> None:
    await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))
    told = await content(service, caller)
    assert departures("consent-receipt.1", told) == []
    assert departures("disclosure-receipt.1", told) != []
    assert departures("consent-receipt.1", told.replace(b'"portal"', b"7")) != []


async def test_a_receipt_tells_the_country_the_parties_and_how_the_consent_was_collected(service: Running) -> None:
    found = await receipt(service, BUYER)
    (purpose,) = found.purposes
    assert (found.language, found.privacy_notice, purpose.jurisdiction) == ("en", None, "JO")
    assert (purpose.pii_controllers, purpose.collection_method) == (("JO/programme",), "portal")
    assert [(party.party_id, party.party_role, party.party_type) for party in found.party_identification] == [
        ("f1", "pii_principal", "factory"),
        ("JO/programme", "pii_controller", "labour programme"),
        ("b1", "recipient", "buyer, vendor or agent"),
    ]


async def test_a_receipt_of_consent_on_paper_tells_the_factory_on_which_and_the_buyer_that_it_was(
    service: Running,
) -> None:
    scan = (await upload(service)).json()
    assert (await record(service, scan["id"], id="g2")).status_code == 201
    for caller, digest in ((FACTORY, scan["sha256"]), (BUYER, "")):
        (purpose,) = (await receipt(service, caller, "g2")).purposes
        assert (purpose.collection_method, purpose.collection_document_sha256) == ("signed paper", digest)


async def test_a_receipt_tells_the_terms_that_the_factory_had_accepted_when_it_approved(service: Running) -> None:
    versions = []
    for version in ("2026-1", "2026-2"):
        digest = (await publish(service, version, b"%PDF-1.7 " + version.encode())).json()["document_sha256"]
        versions.append((version, digest))
        accepted = {"terms_version": version, "document_sha256": digest, "name": "Rana", "role": "owner"}
        assert (await service.post("/api/v1/terms-acceptances", FACTORY, accepted)).status_code == 201
        await service.post("/api/v1/grants", FACTORY, a_grant(f"of-{version}"))
    for version, digest in versions:
        found = await receipt(service, BUYER, f"of-{version}")
        assert found.privacy_notice == PrivacyNotice(version=version, document_sha256=digest)
        assert departures("consent-receipt.1", await content(service, BUYER, f"of-{version}")) == []
    again = await service.post("/api/v1/grants", FACTORY, a_grant("of-2026-1"))
    assert again.status_code == 201  # the same grant, though other terms were accepted meanwhile


@pytest.mark.parametrize("names", [None, TOLD_TO_FACTORY, TOLD_TO_BUYER], ids=["programme", "factory", "buyer"])
def test_a_receipt_of_a_disclosure_is_what_its_schema_says(names: frozenset[str] | None) -> None:
    assert departures("disclosure-receipt.1", the_receipt(a_disclosed_fold(is_ended=True), names)) == []


@READERS
async def test_no_party_learns_from_a_receipt_who_of_another_party_ended_the_consent(
    service: Running, caller: Principal
) -> None:
    await agreed(service)
    given = a_grant("g2", agreement_id="a1", kinds=["assessment"], ends_on=NEXT_YEAR)
    assert (await service.post("/api/v1/grants", FACTORY, given)).status_code == 201
    who = msgspec.structs.replace(BUYER, subject="canary-person")
    ended = await service.post("/api/v1/agreements/a1/termination", who, {"reason": "no more orders"})
    assert ended.status_code < 300, ended.text
    told = await content(service, caller, "g2")
    assert len(verified_receipt(told).events) == 2
    assert (b"canary-person" in told) is (caller is ADMIN)


@READERS
async def test_a_receipt_tells_the_purpose_to_both_and_the_person_to_the_factory(
    service: Running, caller: Principal
) -> None:
    told = await content(service, caller)
    assert b"Due diligence" in told
    assert (b"Rana" in told) is (caller is not BUYER)
    assert (FACTORY.subject.encode() in told) is (caller is ADMIN)
