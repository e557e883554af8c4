"""Who of a factory said yes, and why it says stop, is sealed as text, and no buyer learns it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from services.access.domain.receipt import verified_receipt
from tests.access.asking import REQUESTS, accept, ask
from tests.access.parties import ADMIN, BUYER, FACTORY, a_grant, access
from tests.access.scans import record, upload
from tests.support.services import Running, signed

GRANT = "/api/v1/grants/g1"
NO_TEXT = [" ", "Ra\x00na", "Rana\n Haddad"]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def revoke(service: Running, **query: str) -> httpx.Response:
    return await service.http.delete(GRANT, headers=signed(FACTORY), params=query)


async def test_who_gives_a_grant_approves_it_unless_somebody_else_is_named(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant())
    await service.post("/api/v1/grants", FACTORY, a_grant("g2", approved_by={"name": " Rana ", "role": " "}))
    approvers = [(await service.get(f"/api/v1/grants/{each}", FACTORY)).json()["approved_by"] for each in ("g1", "g2")]
    assert approvers == [{"name": FACTORY.name, "role": ""}, {"name": "Rana", "role": ""}]
    assert (await service.get(GRANT, BUYER)).json()["approved_by"] is None


@pytest.mark.parametrize("name", ["", *NO_TEXT])
async def test_a_factory_approves_also_when_no_name_is_known_of_its_user(service: Running, name: str) -> None:
    nameless = msgspec.structs.replace(FACTORY, name=name)
    assert (await service.post("/api/v1/grants", nameless, a_grant())).status_code == 201
    assert (await service.get(GRANT, FACTORY)).json()["approved_by"] is None


async def test_a_long_name_is_sealed_as_far_as_it_may_be(service: Running) -> None:
    await service.post("/api/v1/grants", msgspec.structs.replace(FACTORY, name="R" * 300), a_grant())
    assert (await service.get(GRANT, FACTORY)).json()["approved_by"]["name"] == "R" * 200


@pytest.mark.parametrize(
    "person", [*({"name": name} for name in NO_TEXT), {"name": "Rana", "role": "ow\x00ner"}], ids=repr
)
async def test_a_person_who_is_no_text_is_sealed_nowhere(service: Running, person: dict[str, str]) -> None:
    await ask(service)
    scan = (await upload(service)).json()["id"]
    one = {"request_id": "r1", "decision": "accept", "approved_by": person}
    many = (await service.post("/api/v1/access-request-answers", FACTORY, {"answers": [one]})).json()["items"]
    answers = [
        await service.post("/api/v1/grants", FACTORY, a_grant(approved_by=person)),
        await accept(service, approved_by=person),
        await record(service, scan, approved_by=person),
        await record(service, scan, approved_by=person, request_id="r1", purpose=None),
    ]
    assert [answer.status_code for answer in answers] + [each["status"] for each in many] == [400] * 5
    assert (await service.get("/api/v1/grants", ADMIN)).json()["items"] == []
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "pending"


async def test_why_a_factory_said_stop_is_on_the_ledger_and_no_buyer_reads_it(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant())
    assert (await revoke(service, reason=" They resold it ")).status_code == 204
    assert (await revoke(service, reason="Said again")).status_code == 204
    for caller in (FACTORY, ADMIN):
        assert (await service.get(GRANT, caller)).json()["revoked_reason"] == "They resold it"
    receipt = verified_receipt((await service.get(f"{GRANT}/receipt", FACTORY)).content)
    assert receipt.proof.entries[-1].disclosed["reason"].value == "They resold it"
    for path in (GRANT, f"{GRANT}/receipt", "/api/v1/grants", "/api/v1/changes"):
        answer = await service.get(path, BUYER)
        assert answer.status_code == 200
        assert "resold" not in answer.text


async def test_a_factory_owes_nobody_a_reason(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant())
    assert (await revoke(service)).status_code == 204
    assert (await service.get(GRANT, FACTORY)).json()["revoked_reason"] == ""


@pytest.mark.parametrize("reason", ["r" * 501, " ", "a\nb"])
async def test_a_reason_is_text_of_some_length(service: Running, reason: str) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant())
    assert (await revoke(service, reason=reason)).status_code == 400
    assert (await service.get(GRANT, FACTORY)).json()["revoked_at"] is None
