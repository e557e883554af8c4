"""With a closed buyer, and with a factory that left the programme, nothing new begins; what there is can be ended."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from contracts.sharing import AccessRequestRemindedV1
from tests.access.asking import RANA, REQUESTS, a_request, accept, ask, asking_of, grants, told
from tests.access.parties import ADMIN, BUYER, FACTORY, GATEWAY, a_grant, access
from tests.access.test_agreements import AGREEMENTS, PDF, an_agreement, sign, stage, upload
from tests.support.services import Running, signed

SCANS: Final = "/api/v1/consent-documents"
LEAVING: Final[Mapping[str, tuple[str, str]]] = {
    "factory_not_active": ("/api/v1/factories/f1/status", "obsolete"),
    "buyer_closed": ("/api/v1/buyers/b1/status", "closed"),
}
"""How a party leaves, by the code with which everything new is refused from then on."""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def move(service: Running, code: str, status: str | None = None) -> None:
    path, leaving = LEAVING[code]
    answer = await service.post(path, ADMIN, {"status": status or leaving, "reason": "Because"})
    assert answer.status_code == 201


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def paper(service: Running) -> str:
    found: str = (await upload(service, f"{SCANS}?factory_id=f1", ADMIN)).json()["id"]
    return found


@pytest.mark.parametrize("code", LEAVING)
async def test_nothing_new_is_consented_to(service: Running, code: str) -> None:
    await ask(service)
    scan_id = await paper(service)
    await move(service, code)
    for answer in (
        await accept(service),
        await service.post("/api/v1/grants", FACTORY, a_grant()),
        await service.post(
            f"{SCANS}/{scan_id}/grant", ADMIN, {"buyer_id": "b1", "purpose": "review", "approved_by": RANA}
        ),
        await service.post(REQUESTS, BUYER, a_request("r2")),
    ):
        assert refused(answer) == (409, code)
    assert await grants(service) == []
    await move(service, code, "active")
    assert (await accept(service)).status_code == 201


@pytest.mark.parametrize("code", LEAVING)
async def test_nothing_new_is_agreed(service: Running, code: str) -> None:
    assert (await service.post(AGREEMENTS, BUYER, an_agreement())).status_code == 201
    await upload(service, f"{AGREEMENTS}/a1/document", BUYER, PDF)
    await sign(service, BUYER)
    await move(service, code)
    for answer in (
        await service.post(AGREEMENTS, FACTORY, an_agreement("a2")),
        await service.post(AGREEMENTS, BUYER, an_agreement("a2")),
        await service.post(AGREEMENTS, ADMIN, an_agreement("a2")),
        await sign(service, FACTORY),
    ):
        assert refused(answer) == (409, code)
    assert await stage(service) == "proposed"


@pytest.mark.parametrize("code", LEAVING)
async def test_an_agreement_is_not_renewed(service: Running, code: str) -> None:
    await service.post(AGREEMENTS, BUYER, an_agreement())
    await upload(service, f"{AGREEMENTS}/a1/document", BUYER, PDF)
    for caller in (BUYER, FACTORY):
        await sign(service, caller)
    await move(service, code)
    renewal = await service.post(f"{AGREEMENTS}/a1/renewal", FACTORY, {"starts_on": "2027-01-01"})
    assert refused(renewal) == (409, code)


@pytest.mark.parametrize("code", LEAVING)
async def test_what_there_is_can_still_be_read_repeated_and_ended(service: Running, code: str) -> None:
    await ask(service)
    await service.post("/api/v1/grants", FACTORY, a_grant())
    await service.post(AGREEMENTS, BUYER, an_agreement())
    await move(service, code)
    assert (await service.post("/api/v1/grants", FACTORY, a_grant())).status_code == 201
    for path in ("/api/v1/grants/g1", f"{REQUESTS}/r1", f"{AGREEMENTS}/a1"):
        assert (await service.get(path, BUYER)).status_code == 200
    assert (await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))).status_code == 204
    assert (await service.post(f"{REQUESTS}/r1/withdrawal", BUYER)).status_code == 201
    assert (await service.post(f"{AGREEMENTS}/a1/termination", FACTORY, {"reason": "Over"})).status_code == 201


@pytest.mark.parametrize("code", LEAVING)
async def test_nobody_is_reminded_of_a_request_that_cannot_be_accepted(service: Running, code: str) -> None:
    await ask(service)
    asking, now = asking_of(service), datetime.now(UTC)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    await move(service, code)
    await asking.sweep(now=now + timedelta(days=8))
    await move(service, code, "active")
    await asking.sweep(now=now + timedelta(days=22))
    (reminder,) = await told(service, AccessRequestRemindedV1, 1)
    assert reminder.reminder == 2
    await move(service, code)
    await asking.sweep(now=now + timedelta(days=31))
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "expired"


async def test_a_closed_buyer_registers_no_webhook(service: Running) -> None:
    await move(service, "buyer_closed")
    answer = await service.post("/api/v1/webhooks", BUYER, {"url": "https://buyer.example/hook"})
    assert refused(answer) == (409, "buyer_closed")
