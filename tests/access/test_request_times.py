"""What time and crashes make of requests for access: reminders, their end, and grants that were left out."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from contracts.sharing import AccessRequestAnsweredV1, AccessRequestExpiredV1, AccessRequestRemindedV1
from contracts.vocabulary import ReportKind
from services.access.domain.grant import Approval
from services.access.domain.request import MOVES, Acceptance, AccessRequest, Answer, Move, RequestOver, Status
from services.access.store.charge import NotInCharge
from services.access.store.requests import Decision, Requests
from tests.access.asking import REQUESTS, accept, ask, asking_of, grants, told
from tests.access.parties import BUYER, FACTORY, GATEWAY, access
from tests.support.services import Running


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


def an_acceptance(now: datetime) -> Answer:
    return Answer(by="rana", at=now, acceptance=Acceptance(approved_by=Approval(name="Rana")), on=now.date())


async def test_a_crash_before_the_grant_leaves_a_waiting_request_that_the_sweep_completes(service: Running) -> None:
    await ask(service)
    asking = asking_of(service)
    now = datetime.now(UTC)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    await asking.requests.change("r1", lambda present: (present.accepted(an_acceptance(now)), ()))
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


def moved(request: AccessRequest, move: Move, now: datetime) -> AccessRequest:
    """The request after a move."""
    acts: dict[Move, Callable[[], AccessRequest]] = {
        Move.ACCEPT: lambda: request.accepted(an_acceptance(now)),
        Move.REFUSE: lambda: request.refused(Answer(by="rana", at=now, reason="No"))[0],
        Move.WITHDRAW: lambda: request.withdrawn(by="b", now=now)[0],
        Move.EXPIRE: lambda: request.swept(request.expires_at)[0],
        Move.SETTLE: lambda: request.settled(an_acceptance(now))[0],
        Move.REOPEN: request.reopened,
    }
    return acts[move]()


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("status", Status)
def test_a_request_moves_as_the_table_says_and_not_otherwise(status: Status, move: Move) -> None:
    now = datetime.now(UTC)
    answered = Answer(by="rana", at=now, reason="Said otherwise")
    request = AccessRequest(
        id="r1",
        factory_id="f1",
        buyer_id="b1",
        kinds=(ReportKind.PROGRESS,),
        purpose="review",
        asked_by="b",
        asked_at=now,
        expires_at=now + timedelta(days=1),
        status=status,
        answer=None if status is Status.PENDING else answered,
    )
    before, after = MOVES[move]
    if status in before:
        assert moved(request, move, now).status is after
        return
    # What is there already changes nothing, as does time once it is over.
    is_repeated = status is after and move in {Move.WITHDRAW, Move.REOPEN}
    if is_repeated or move is Move.EXPIRE:
        assert moved(request, move, now) == request
        return
    with pytest.raises(RequestOver):
        moved(request, move, now)


class Overtaken(Requests):
    """Another process was refused the grant, and so the factory answered anew, before this one settles."""

    async def change(self, request_id: str, decide: Decision) -> AccessRequest:
        await super().change(request_id, lambda present: (present.reopened(), ()))
        await super().change(
            request_id, lambda present: present.refused(Answer(by="rana", at=datetime.now(UTC), reason="No"))
        )
        return await super().change(request_id, decide)


async def test_a_refusal_that_overtook_the_grant_of_an_acceptance_counts(service: Running) -> None:
    await ask(service)
    asking, now = asking_of(service), datetime.now(UTC)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    await asking.requests.change("r1", lambda present: (present.accepted(an_acceptance(now)), ()))
    asking.requests = Overtaken(service.service.ports.documents, source="JO/access", relay=service.service.relay)
    await asking.sweep(now=now)
    assert (await service.get(f"{REQUESTS}/r1", BUYER)).json()["status"] == "refused"
    (grant,) = await grants(service)
    assert grant["revoked_at"] is not None
