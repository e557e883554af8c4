"""A factory without the portal says stop on paper, and is told what the programme recorded in its name."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.access import ConsentAnswer, EntryKind, GrantRevokedV1
from contracts.identity import Principal
from services.access.domain.receipt import verified_receipt
from tests.access.disclosed import notices
from tests.access.parties import ADVISOR, BUYER, FACTORY, GATEWAY, LEASE_S, OTHER_FACTORY, a_grant, access
from tests.access.scans import PNG, RANA, record, upload, withdraw
from tests.support.eventually import eventually
from tests.support.services import Running

GRANT = "/api/v1/grants/g1"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with a grant that was given on paper, after the leases that an earlier process might have given."""
    async with access(tmp_path) as running:
        await record(running, await scanned(running))
        await follow(running)
        await asyncio.sleep(LEASE_S)
        yield running


async def scanned(service: Running, factory_id: str = "f1") -> str:
    """The id of the scan of another paper."""
    found: str = (await upload(service, factory_id=factory_id)).json()["id"]
    return found


async def follow(service: Running) -> ConsentAnswer:
    answer = await service.get("/internal/consent?gateway=gw", GATEWAY)
    return msgspec.json.decode(answer.content, type=ConsentAnswer)


async def test_a_grant_is_withdrawn_by_a_paper_with_its_digest_and_who_signed_on_the_ledger(service: Running) -> None:
    scan = (await upload(service, content=PNG + b"stop")).json()
    answer = await withdraw(service, scan["id"])
    assert answer.status_code == 201
    assert (answer.json()["revoked_document_sha256"], answer.json()["revoked_epoch"]) == (scan["sha256"], 3)
    receipt = verified_receipt((await service.get(f"{GRANT}/receipt", FACTORY)).content)
    sealed = {name: each.value for name, each in receipt.proof.entries[-1].disclosed.items()}
    assert receipt.events[-1].event_state == "consent withdrawn"
    assert sealed == {
        "document_sha256": scan["sha256"],
        "withdrawer_name": RANA["name"],
        "withdrawer_role": RANA["role"],
    }
    (event,) = await service.until_announced(GrantRevokedV1)
    assert event.is_on_paper


async def test_a_withdrawal_on_paper_is_answered_only_when_no_gateway_decides_without_it(service: Running) -> None:
    scan = await scanned(service)
    for _ in range(2):
        await follow(service)
        began = time.monotonic()
        assert (await withdraw(service, scan)).status_code == 201
        assert LEASE_S * 0.8 < time.monotonic() - began < LEASE_S * 2
    kinds = [entry.kind for entry in (await follow(service)).entries]
    assert kinds == [EntryKind.KEY_ANNOUNCED, EntryKind.GRANT_GIVEN, EntryKind.GRANT_REVOKED]


async def test_who_recorded_a_withdrawal_and_left_has_withdrawn_all_the_same(service: Running) -> None:
    scan = await scanned(service)
    await follow(service)
    withdrawing = asyncio.create_task(withdraw(service, scan))

    async def is_told() -> bool:
        return (await follow(service)).entries[-1].kind is EntryKind.GRANT_REVOKED

    await eventually(is_told, saying="the ledger tells the withdrawal")
    assert not withdrawing.done()
    withdrawing.cancel()
    assert (await service.get(GRANT, FACTORY)).json()["revoked_epoch"] == 3


async def test_a_grant_that_was_given_in_the_portal_is_withdrawn_by_a_paper_too(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant("g2"))
    assert (await withdraw(service, await scanned(service), grant_id="g2")).status_code == 201
    assert (await service.get("/api/v1/grants/g2", BUYER)).json()["revoked_epoch"] == 4


async def test_the_factory_is_told_what_was_withdrawn_in_its_name(service: Running) -> None:
    await withdraw(service, await scanned(service))
    withdrawn, consented = await notices(service)
    assert (withdrawn["kind"], consented["kind"]) == ("withdrawal_recorded", "consent_recorded")
    assert (withdrawn["record_id"], withdrawn["buyer_id"], withdrawn["epoch"]) == ("g1", "b1", 3)
    assert withdrawn["kinds"] == consented["kinds"]
    assert await notices(service, OTHER_FACTORY) == []


async def test_the_buyer_learns_that_it_was_withdrawn_but_neither_by_whom_nor_on_which_paper(service: Running) -> None:
    await withdraw(service, await scanned(service))
    grant = (await service.get(GRANT, BUYER)).json()
    assert (grant["revoked_epoch"], grant["revoked_document_sha256"]) == (3, "")
    assert "Rana" not in (await service.get(f"{GRANT}/receipt", BUYER)).text


async def test_the_paper_of_one_factory_withdraws_nothing_of_another(service: Running) -> None:
    foreign = await scanned(service, factory_id="f2")
    for answer in (await withdraw(service, foreign), await withdraw(service, "nothing")):
        assert answer.status_code == 404
    assert (await withdraw(service, await scanned(service), grant_id="nothing")).status_code == 404
    assert (await service.get(GRANT, FACTORY)).json()["revoked_at"] is None


@pytest.mark.parametrize("caller", [ADVISOR, FACTORY, BUYER])
async def test_only_staff_with_the_permission_withdraw_for_a_factory(service: Running, caller: Principal) -> None:
    assert (await withdraw(service, await scanned(service), caller)).status_code == 404
    assert (await service.get(GRANT, FACTORY)).json()["revoked_at"] is None


@pytest.mark.parametrize("said_by", [None, {}, {"name": " "}, {"name": "Ra\nna"}, {"name": "Rana", "role": "\x00"}])
async def test_nothing_is_withdrawn_without_who_signed(service: Running, said_by: object) -> None:
    answer: httpx.Response = await withdraw(service, await scanned(service), said_by=said_by)
    assert answer.status_code == 400
    assert (await service.get(GRANT, FACTORY)).json()["revoked_at"] is None


async def test_a_receipt_names_first_how_a_factory_says_stop_that_said_yes_so(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant("g2"))
    paper, portal = "a signed paper that is handed to the programme", "DELETE /api/v1/grants"
    for grant_id, method in (("g1", f"{paper} or {portal}/g1"), ("g2", f"{portal}/g2 or {paper}")):
        receipt = verified_receipt((await service.get(f"/api/v1/grants/{grant_id}/receipt", FACTORY)).content)
        assert receipt.purposes[0].withdrawal_method == method
