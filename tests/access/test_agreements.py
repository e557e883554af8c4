"""Agreements: both sides sign one document, either side stops the sharing, and what rests on one ends with it."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.identity import Principal
from contracts.sharing import AgreementSignedV1, AgreementTerminatedV1, SharingResumedV1, SharingSuspendedV1
from services.access.domain.agreement import MAY, Act, Stage
from tests.access.parties import (
    ADMIN,
    ADVISOR,
    BUYER,
    FACTORY,
    GATEWAY,
    LEASE_S,
    OTHER_BUYER,
    OTHER_FACTORY,
    a_grant,
    access,
)
from tests.support.services import Running, signed

AGREEMENTS = "/api/v1/agreements"
A1 = f"{AGREEMENTS}/a1"
PDF = b"%PDF-1.7\nOne page.\n%%EOF\n"
SHA256 = hashlib.sha256(PDF).hexdigest()
TODAY = datetime.now(UTC).date()
YESTERDAY, NEXT_YEAR = ((TODAY + timedelta(days=days)).isoformat() for days in (-1, 365))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


def an_agreement(agreement_id: str = "a1", **fields: object) -> dict[str, object]:
    told = {"id": agreement_id, "factory_id": "f1", "buyer_id": "b1", "starts_on": YESTERDAY, "ends_on": NEXT_YEAR}
    return {**told, **fields}


async def upload(service: Running, path: str, caller: Principal, content: bytes = PDF) -> httpx.Response:
    return await service.http.post(path, headers=signed(caller), content=content)


async def sign(service: Running, caller: Principal, sha256: str = SHA256, path: str = A1) -> httpx.Response:
    body = {"name": "Rana", "role": "owner", "document_sha256": sha256}
    return await service.post(f"{path}/signature", caller, body)


async def agreed(service: Running, **fields: object) -> None:
    """An agreement a1 that both sides have signed."""
    assert (await service.post(AGREEMENTS, BUYER, an_agreement(**fields))).status_code == 201  # type: ignore[arg-type]
    assert (await upload(service, f"{A1}/document", BUYER)).status_code == 201
    for caller in (BUYER, FACTORY):
        assert (await sign(service, caller)).status_code == 201


async def stage(service: Running, path: str = A1) -> Any:
    return (await service.get(path, ADMIN)).json()["stage"]


async def suspend(service: Running, caller: Principal = FACTORY) -> httpx.Response:
    return await service.post(f"{A1}/suspension", caller, {"reason": "A dispute"})


async def resume(service: Running, caller: Principal) -> httpx.Response:
    return await service.http.delete(f"{A1}/suspension", headers=signed(caller))


def test_every_stage_says_of_every_act_whether_it_may_be_done() -> None:
    assert set(MAY) == set(Act)
    assert not any(Stage.TERMINATED in stages for stages in MAY.values())


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("POST", AGREEMENTS, ADVISOR, 403),
        ("POST", AGREEMENTS, OTHER_FACTORY, 404),
        ("POST", AGREEMENTS, OTHER_BUYER, 404),
        ("GET", A1, OTHER_FACTORY, 404),
        ("GET", A1, OTHER_BUYER, 404),
        ("GET", A1, ADVISOR, 404),
        ("GET", f"{A1}/document", OTHER_FACTORY, 404),
        ("GET", f"{A1}/document", OTHER_BUYER, 404),
        ("GET", f"{A1}/document", ADVISOR, 404),
        ("POST", f"{A1}/document", OTHER_BUYER, 404),
        ("POST", f"{A1}/signature", ADMIN, 404),
        ("POST", f"{A1}/signature", OTHER_FACTORY, 404),
        ("POST", f"{A1}/suspension", OTHER_BUYER, 404),
        ("POST", f"{A1}/termination", OTHER_FACTORY, 404),
        ("POST", f"{A1}/renewal", OTHER_FACTORY, 404),
    ],
)
async def test_who_is_on_neither_side_finds_nothing(
    service: Running, method: str, path: str, caller: Principal, status: int
) -> None:
    await agreed(service)
    person = {"name": "R", "role": "o", "document_sha256": SHA256, "reason": "Because"}
    body = {**an_agreement("a2"), **person}
    call = service.get(path, caller) if method == "GET" else service.post(path, caller, body)
    assert (await call).status_code == status


async def test_it_is_in_force_when_both_have_signed_the_stored_document(service: Running) -> None:
    assert (await service.post(AGREEMENTS, ADMIN, an_agreement())).status_code == 201
    assert (await sign(service, FACTORY)).json()["code"] == "document_differs"
    assert (await upload(service, f"{A1}/document", ADMIN)).json()["document_sha256"] == SHA256
    assert (await sign(service, FACTORY, "0" * 64)).json()["code"] == "document_differs"
    assert (await sign(service, FACTORY)).json()["stage"] == "proposed"
    assert (await sign(service, FACTORY)).status_code == 201
    assert (await sign(service, BUYER)).json()["stage"] == "in_force"
    assert [event.is_complete for event in await service.until_announced(AgreementSignedV1, 2)][-1]
    signatures = (await service.get(A1, BUYER)).json()["signatures"]
    assert [(each["side"], each["name"], each["document_sha256"]) for each in signatures] == [
        ("factory", "Rana", SHA256),
        ("buyer", "Rana", SHA256),
    ]


async def test_one_that_begins_later_is_not_in_force_yet(service: Running) -> None:
    await agreed(service, starts_on=(TODAY + timedelta(days=3)).isoformat())
    assert await stage(service) == "agreed"


async def test_the_document_is_read_by_its_sides_and_stays_once_it_was_signed(service: Running) -> None:
    await service.post(AGREEMENTS, FACTORY, an_agreement())
    await upload(service, f"{A1}/document", FACTORY, PDF + b"A draft.")
    assert (await upload(service, f"{A1}/document", BUYER)).status_code == 201
    await sign(service, BUYER)
    changed = await upload(service, f"{A1}/document", FACTORY, PDF + b"And a pony.")
    assert (changed.status_code, changed.json()["code"]) == (409, "document_differs")
    for caller in (ADMIN, FACTORY, BUYER):
        assert (await service.get(f"{A1}/document", caller)).content == PDF
    stored = [key async for key in service.service.ports.files.list("agreements/")]
    assert len(stored) == 1


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 400, "unknown_file_type"), (b"\xff\xd8\xff\xe0", 400, "unknown_file_type"), (b"%PDF-" * 4_000_000, 413, "")],
)
async def test_a_document_is_a_pdf(service: Running, content: bytes, status: int, code: str) -> None:
    await service.post(AGREEMENTS, FACTORY, an_agreement())
    answer = await upload(service, f"{A1}/document", FACTORY, content)
    assert answer.status_code == status
    assert code in answer.json()["code"]


@pytest.mark.parametrize(
    "fields", [{"kinds": []}, {"ends_on": "2020-01-01"}, {"starts_on": "2126-01-01"}, {"scope": "s" * 2001}]
)
async def test_what_makes_no_sense_is_not_proposed(service: Running, fields: dict[str, object]) -> None:
    assert (await service.post(AGREEMENTS, FACTORY, an_agreement(**fields))).status_code == 400  # type: ignore[arg-type]


async def test_a_suspension_returns_only_when_every_gateway_knows(service: Running) -> None:
    await agreed(service)
    await service.post("/api/v1/grants", FACTORY, a_grant())
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    await asyncio.sleep(LEASE_S)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    began = time.monotonic()
    answer = await suspend(service)
    assert (answer.status_code, answer.json()["stage"]) == (201, "suspended")
    assert LEASE_S * 0.9 < time.monotonic() - began < LEASE_S * 3
    await service.until_announced(SharingSuspendedV1)


async def test_what_one_side_suspended_the_other_cannot_lift(service: Running) -> None:
    await agreed(service)
    await suspend(service, FACTORY)
    for caller in (BUYER, ADMIN):
        answer = await resume(service, caller)
        assert (answer.status_code, answer.json()["code"]) == (409, "suspended_by_others")
    await suspend(service, BUYER)
    found = (await service.get(A1, BUYER)).json()
    assert (found["suspended_by"], found["suspension_reasons"]) == (["factory", "buyer"], ["A dispute"] * 2)
    assert (await resume(service, FACTORY)).status_code == 204
    assert await stage(service) == "suspended"
    assert (await resume(service, BUYER)).status_code == 204
    assert await stage(service) == "in_force"
    assert (await resume(service, BUYER)).status_code == 204
    await service.until_announced(SharingResumedV1)


async def test_suspensions_and_resumptions_at_once_leave_what_the_ledger_says(service: Running) -> None:
    await agreed(service)
    await suspend(service, FACTORY)
    await asyncio.gather(resume(service, FACTORY), suspend(service, BUYER))
    assert (await service.get(A1, ADMIN)).json()["suspended_by"] == ["buyer"]


async def test_a_proposal_cannot_be_suspended(service: Running) -> None:
    await service.post(AGREEMENTS, FACTORY, an_agreement())
    answer = await suspend(service)
    assert (answer.status_code, answer.json()["code"]) == (409, "agreement_stage")


async def test_a_grant_may_rest_on_an_agreement_that_covers_it(service: Running) -> None:
    await agreed(service, kinds=["assessment", "progress"])
    body = a_grant(agreement_id="a1", kinds=["assessment"], ends_on=NEXT_YEAR)
    answer = await service.post("/api/v1/grants", FACTORY, body)
    assert (answer.status_code, answer.json()["agreement_id"]) == (201, "a1")


@pytest.mark.parametrize(
    "fields",
    [
        {"agreement_id": "nowhere"},
        {"buyer_id": "b2"},
        {"kinds": ["improvement_plan"]},
        {"ends_on": None},
        {"ends_on": (TODAY + timedelta(days=366)).isoformat()},
        {"starts_on": (TODAY - timedelta(days=2)).isoformat()},
    ],
)
async def test_a_grant_beyond_the_agreement_is_refused(service: Running, fields: dict[str, object]) -> None:
    await agreed(service, kinds=["assessment"])
    body = {**a_grant(agreement_id="a1", kinds=["assessment"], ends_on=NEXT_YEAR), **fields}
    answer = await service.post("/api/v1/grants", FACTORY, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "agreement_does_not_cover")


async def test_no_grant_rests_on_an_agreement_that_is_suspended(service: Running) -> None:
    await agreed(service)
    await suspend(service, BUYER)
    body = a_grant(agreement_id="a1", kinds=["assessment"], ends_on=NEXT_YEAR)
    assert (await service.post("/api/v1/grants", FACTORY, body)).json()["code"] == "agreement_does_not_cover"


async def test_the_grants_that_rest_on_an_agreement_end_with_it_and_no_others(service: Running) -> None:
    await agreed(service)
    await service.post("/api/v1/grants", FACTORY, a_grant(agreement_id="a1", ends_on=NEXT_YEAR))
    await service.post("/api/v1/grants", FACTORY, a_grant("g2"))
    for _ in range(2):
        answer = await service.post(f"{A1}/termination", BUYER, {"reason": "We part"})
        assert (answer.status_code, answer.json()["stage"]) == (201, "terminated")
    revoked = {
        each["id"]: each["revoked_at"] for each in (await service.get("/api/v1/grants", FACTORY)).json()["items"]
    }
    assert revoked["g1"] is not None
    assert revoked["g2"] is None
    await service.until_announced(AgreementTerminatedV1)
    again = await service.post("/api/v1/grants", FACTORY, a_grant("g3", agreement_id="a1", ends_on=NEXT_YEAR))
    assert again.json()["code"] == "agreement_does_not_cover"


async def test_who_ends_an_agreement_does_not_lift_the_other_sides_suspension(service: Running) -> None:
    await agreed(service)
    await suspend(service, FACTORY)
    await service.post(f"{A1}/termination", BUYER, {"reason": "We part"})
    found = (await service.get(A1, FACTORY)).json()
    assert (found["stage"], found["suspended_by"]) == ("terminated", ["factory"])
    assert (await resume(service, FACTORY)).status_code == 204


async def test_a_renewal_names_its_predecessor_and_is_signed_again(service: Running) -> None:
    await agreed(service)
    body = {"starts_on": NEXT_YEAR, "ends_on": (TODAY + timedelta(days=700)).isoformat()}
    first = await service.post(f"{A1}/renewal", FACTORY, body)
    again = await service.post(f"{A1}/renewal", FACTORY, body)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    told = first.json()
    assert (told["predecessor_id"], told["stage"], told["signatures"]) == ("a1", "proposed", [])
    path = f"{AGREEMENTS}/{told['id']}"
    await upload(service, f"{path}/document", BUYER)
    for caller in (FACTORY, BUYER):
        assert (await sign(service, caller, path=path)).status_code == 201
    assert await stage(service, path) == "agreed"


async def test_two_signatures_at_once_are_both_kept(service: Running) -> None:
    await service.post(AGREEMENTS, FACTORY, an_agreement())
    await upload(service, f"{A1}/document", BUYER)
    answers = await asyncio.gather(*(sign(service, caller) for caller in (FACTORY, BUYER, FACTORY, BUYER)))
    assert {answer.status_code for answer in answers} == {201}
    assert len((await service.get(A1, ADMIN)).json()["signatures"]) == 2
