"""A manufacturing group that a factory lets grant can say stop for it too, and answer what buyers ask."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.errors import NotFound
from contracts.identity import Principal, Role
from services.access.domain.grant import Approval
from services.access.domain.request import Acceptance, Answer
from services.access.usecases import grants
from tests.access.asking import REQUESTS, a_request, accept, ask, asking_of
from tests.access.parties import ADMIN, BUYER, FACTORY, GATEWAY, OTHER_FACTORY, a_grant, access
from tests.support.services import Running, a_principal, signed

F1 = "/api/v1/factories/f1"
GROUP = a_principal(Role.GROUP, party_id="g1", subject="gina")
OTHER_GROUP = a_principal(Role.GROUP, party_id="g2")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with two groups, of which the first may grant for factory f1; f2 belongs to it and does not let it."""
    async with access(tmp_path) as running:
        for group_id in ("g1", "g2"):
            await running.post("/api/v1/organisations", ADMIN, {"id": group_id, "kind": "group", "name": group_id})
        await patch(running, group_id="g1", owner_may_grant=True)
        await patch(running, "/api/v1/factories/f2", group_id="g1")
        await running.post("/api/v1/grants", FACTORY, a_grant())
        await running.post("/api/v1/grants", OTHER_FACTORY, a_grant("of-f2", factory_id="f2"))
        yield running


async def patch(service: Running, path: str = F1, **fields: object) -> None:
    answer = await service.http.patch(path, headers=signed(ADMIN), json={"reason": "Bought", **fields})
    assert answer.status_code == 200


async def revoke(service: Running, caller: Principal = GROUP, grant_id: str = "g1") -> httpx.Response:
    return await service.http.delete(f"/api/v1/grants/{grant_id}", headers=signed(caller))


async def is_revoked(service: Running, grant_id: str = "g1") -> bool:
    return (await service.get(f"/api/v1/grants/{grant_id}", ADMIN)).json()["revoked_at"] is not None


async def test_a_group_withdraws_what_it_gave_and_what_the_factory_gave(service: Running) -> None:
    await service.post("/api/v1/grants", GROUP, a_grant("own", buyer_id="b2"))
    for grant_id in ("own", "g1"):
        for _ in range(2):
            assert (await revoke(service, grant_id=grant_id)).status_code == 204
        assert await is_revoked(service, grant_id)


async def test_a_group_withdraws_nothing_of_a_factory_that_does_not_let_it_or_left(service: Running) -> None:
    assert (await revoke(service, grant_id="of-f2")).status_code == 404
    assert (await revoke(service, OTHER_GROUP)).status_code == 404
    await patch(service, owner_may_grant=False)
    assert (await revoke(service)).status_code == 404
    await patch(service, owner_may_grant=True, group_id="g2")
    assert (await revoke(service)).status_code == 404
    assert [await is_revoked(service, each) for each in ("g1", "of-f2")] == [False, False]
    assert (await revoke(service, OTHER_GROUP)).status_code == 204


async def test_a_group_answers_for_a_factory_that_lets_it(service: Running) -> None:
    for request_id, fields in (("r1", {}), ("r2", {"kinds": ["quality_productivity"]})):
        await ask(service, request_id=request_id, **fields)
    await service.post(REQUESTS, BUYER, a_request("r3", factory_id="f2"))
    assert (await accept(service, "r1", GROUP)).status_code == 201
    refused = await service.post(f"{REQUESTS}/r2/refusal", GROUP, {"reason": "No"})
    assert (refused.status_code, refused.json()["status"]) == (201, "refused")
    for path, body in (("acceptance", {"approved_by": {"name": "Gina"}}), ("refusal", {"reason": "No"})):
        for request_id, caller in (("r3", GROUP), ("r1", OTHER_GROUP)):
            assert (await service.post(f"{REQUESTS}/{request_id}/{path}", caller, body)).status_code == 404


async def test_a_group_answers_no_more_for_a_factory_that_left(service: Running) -> None:
    await ask(service)
    await patch(service, group_id="")
    assert (await accept(service, caller=GROUP)).status_code == 404
    assert (await service.post(f"{REQUESTS}/r1/refusal", GROUP, {"reason": "No"})).status_code == 404
    assert (await accept(service)).status_code == 201


def part_of(service: Running, name: str) -> Any:
    """A part of access, by the name under which its routes get it."""
    dependency: Any = service.service.app.litestar.dependencies[name]
    return dependency.dependency()


async def test_a_group_says_nothing_for_a_factory_that_left_while_it_asked(service: Running) -> None:
    await ask(service)
    await patch(service, group_id="g2")
    late = msgspec.structs.replace(GROUP, factories=frozenset({"f1"}))
    ledger, parties, consent = (part_of(service, name) for name in ("ledger", "parties", "consent"))
    asking, now = asking_of(service), datetime.now(UTC)
    acceptance = Acceptance(approved_by=Approval(name="Gina"))
    assert (await parties.factories.get("f1", late.scope())).owner_may_grant
    for saying in (
        grants.revoke(ledger, parties, consent, late, "g1", now=now),
        asking.accept(late, "r1", acceptance, now=now),
        asking.refuse(late, "r1", "No", now=now),
    ):
        with pytest.raises(NotFound):
            await saying
    assert not await is_revoked(service)
    assert (await service.get(f"{REQUESTS}/r1", FACTORY)).json()["status"] == "pending"


async def test_what_a_group_accepted_is_no_grant_once_the_factory_has_left(service: Running) -> None:
    await ask(service)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    asking, now = asking_of(service), datetime.now(UTC)
    acceptance = Acceptance(approved_by=Approval(name="Gina"))
    accepted = Answer(by="gina", at=now, acceptance=acceptance, on=now.date(), group_id="g1")
    await asking.requests.change("r1", lambda present: (present.accepted(accepted), ()))
    await patch(service, group_id="")
    await asking.sweep(now=now)
    assert (await service.get(f"{REQUESTS}/r1", FACTORY)).json()["status"] == "pending"
    assert len((await service.get("/api/v1/grants?factory_id=f1", ADMIN)).json()["items"]) == 1
