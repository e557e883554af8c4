"""What time and crashes make of requests for access: reminders, their end, and grants that were left out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from contracts.sharing import AccessRequestAnsweredV1, AccessRequestExpiredV1, AccessRequestRemindedV1
from services.access.domain.grant import Approval
from services.access.domain.request import Acceptance
from services.access.store.charge import NotInCharge
from tests.access.asking import REQUESTS, accept, ask, asking_of, grants, told
from tests.access.parties import BUYER, FACTORY, GATEWAY, access
from tests.support.services import Running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def test_a_crash_before_the_grant_leaves_a_waiting_request_that_the_sweep_completes(service: Running) -> None:
    await ask(service)
    asking = asking_of(service)
    now = datetime.now(UTC)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    acceptance = Acceptance(approved_by=Approval(name="Rana"))
    await asking.requests.change(
        "r1", lambda present: (present.accepted(acceptance, by="rana", now=now, today=now.date()), ())
    )
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "pending"
    refused = await service.post(f"{REQUESTS}/r1/refusal", FACTORY, {"reason": "Too late"})
    assert refused.status_code == 409
    await asking.sweep(now=now)
    await asking.sweep(now=now)
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "accepted"
    assert len(await grants(service)) == 1
    assert len(await told(service, AccessRequestAnsweredV1, 1)) == 1


async def test_a_crash_after_the_grant_is_told_by_the_ledger(service: Running) -> None:
    await ask(service)
    await accept(service)
    requests = asking_of(service).requests
    await requests.change("r1", lambda present: (msgspec.structs.replace(present, is_settled=False), ()))
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "accepted"
    assert (await accept(service)).status_code == 201
    assert len(await grants(service)) == 1


async def test_a_request_that_waits_is_brought_to_mind_once_a_date_and_then_is_over(service: Running) -> None:
    await ask(service)
    asking, now = asking_of(service), datetime.now(UTC)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    for days in (1, 8, 8, 9, 22, 23):
        await asking.sweep(now=now + timedelta(days=days))
    reminders = await told(service, AccessRequestRemindedV1, 2)
    assert [event.reminder for event in reminders] == [1, 2]
    for _ in range(2):
        await asking.sweep(now=now + timedelta(days=31))
    assert len(await told(service, AccessRequestExpiredV1, 1)) == 1
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "expired"
    assert (await accept(service)).json()["code"] == "request_over"
    await ask(service, request_id="r2")


async def test_a_request_is_over_in_time_also_when_no_sweep_came(tmp_path: Path) -> None:
    async with access(tmp_path, request_days=0) as service:
        await ask(service)
        assert (await service.get(f"{REQUESTS}/r1", FACTORY)).json()["status"] == "expired"
        assert (await accept(service)).status_code == 409
        await ask(service, request_id="r2")


async def test_a_process_that_is_not_in_charge_does_not_sweep(service: Running) -> None:
    await ask(service)
    with pytest.raises(NotInCharge):
        await asking_of(service).sweep(now=datetime.now(UTC) + timedelta(days=31))
