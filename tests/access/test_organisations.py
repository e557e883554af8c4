"""Organisations change as other parties do: with a reason, and a history that tells."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from contracts.access import FactoryChangedV1
from contracts.identity import Principal
from tests.access.parties import ADMIN, ADVISOR, BUYER, FACTORY, a_grant, access
from tests.support.services import Running, signed

ORGANISATIONS: Final = "/api/v1/organisations"
F1: Final = "/api/v1/factories/f1"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with an organisation of each kind."""
    async with access(tmp_path) as running:
        for kind in ("group", "vendor", "agent", "ministry"):
            body = {"id": kind, "kind": kind, "name": kind.title()}
            assert (await running.post(ORGANISATIONS, ADMIN, body)).status_code == 201
        yield running


async def change(service: Running, path: str, caller: Principal = ADMIN, **fields: object) -> Any:
    body = {"reason": "Because", **fields}
    return await service.http.patch(path, headers=signed(caller), json=body)


async def test_an_organisation_has_a_country_and_a_lei_that_can_be(service: Running) -> None:
    wrong: list[dict[str, Any]] = [{"country": country} for country in ("Korea", "kr", "K1", "KR\n")]
    for fields in (*wrong, {"lei": "x"}):
        body = {"kind": "group", "name": "Levant", **fields}
        assert (await service.post(ORGANISATIONS, ADMIN, body)).status_code == 400
        assert (await change(service, f"{ORGANISATIONS}/group", **fields)).status_code == 400
    assert (await service.post(ORGANISATIONS, ADMIN, {"kind": "club", "name": "Levant"})).status_code == 400


async def test_a_renamed_organisation_tells_who_renamed_it_and_why(service: Running) -> None:
    for _ in range(2):
        told = (await change(service, f"{ORGANISATIONS}/group", name="Levant", country="KR", on="2026-01-02")).json()
    assert (told["name"], told["country"], told["status"]) == ("Levant", "KR", "active")
    begun, renamed = told["history"]
    assert (begun["what"], renamed["what"], renamed["on"], renamed["by"], renamed["reason"]) == (
        "registered",
        "renamed",
        "2026-01-02",
        "someone",
        "Because",
    )
    assert (renamed["before"], renamed["after"]) == (
        {"name": "Group", "country": ""},
        {"name": "Levant", "country": "KR"},
    )
    assert (await service.get(f"{ORGANISATIONS}/group", FACTORY)).json()["history"] == []


@pytest.mark.parametrize("caller", [ADVISOR, FACTORY, BUYER])
async def test_only_administrators_change_organisations(service: Running, caller: Principal) -> None:
    assert (await change(service, f"{ORGANISATIONS}/group", caller, name="Mine")).status_code == 404
    assert (await change(service, f"{ORGANISATIONS}/nowhere", name="Mine")).status_code == 404


@pytest.mark.parametrize("kind", ["group", "vendor", "agent", "ministry"])
async def test_an_organisation_is_closed_and_opened_again(service: Running, kind: str) -> None:
    path = f"{ORGANISATIONS}/{kind}"
    for status in ("closed", "closed", "active"):
        assert (await change(service, path, status=status)).json()["status"] == status
        assert (await service.get(path, FACTORY)).json()["status"] == status
    history = (await service.get(path, ADMIN)).json()["history"]
    assert [each["what"] for each in history] == ["registered", "closed", "active"]


async def test_a_vendor_is_closed_on_the_ledger_whichever_way_it_is_said(service: Running) -> None:
    await change(service, f"{ORGANISATIONS}/vendor", status="closed")
    answer = await service.post("/api/v1/buyers/agent/status", ADMIN, {"status": "closed", "reason": "Bankrupt"})
    assert answer.json()["status"] == "closed"
    for party_id in ("vendor", "agent"):
        refused = await service.post("/api/v1/grants", FACTORY, a_grant(party_id, buyer_id=party_id))
        assert (refused.status_code, refused.json()["code"]) == (409, "buyer_closed")
        told = (await service.get(f"{ORGANISATIONS}/{party_id}", ADMIN)).json()
        assert ([each["what"] for each in told["history"]], told["status"]) == (["registered", "closed"], "closed")


async def test_what_is_refused_closes_nothing(service: Running) -> None:
    assert (await change(service, f"{ORGANISATIONS}/vendor", status="closed", lei="x")).status_code == 400
    assert (await service.get(f"{ORGANISATIONS}/vendor", ADMIN)).json()["status"] == "active"


async def test_a_group_is_closed_once_its_factories_have_left_and_takes_no_other(service: Running) -> None:
    assert (await change(service, F1, group_id="group")).status_code == 200
    refused = await change(service, f"{ORGANISATIONS}/group", status="closed")
    assert (refused.status_code, refused.json()["code"]) == (409, "group_has_factories")
    await change(service, F1, group_id="")
    assert (await change(service, f"{ORGANISATIONS}/group", status="closed")).status_code == 200
    refused = await change(service, F1, group_id="group")
    assert (refused.status_code, refused.json()["code"]) == (409, "organisation_closed")


async def test_two_factories_of_one_group_have_one_owner_however_it_is_spelt(service: Running) -> None:
    for factory_id, owner in (("f1", "Levant Group"), ("f2", "LEVANT GRP.")):
        path = f"/api/v1/factories/{factory_id}"
        await change(service, path, owner_group=owner)
        told = (await change(service, path, group_id="group")).json()
        assert told["owner_group"] == owner
    events = await service.until_announced(FactoryChangedV1, 4)
    last = {event.factory_id: event.owner_group for event in events}
    assert last == {"f1": "group", "f2": "group"}
    await change(service, F1, group_id="")
    events = await service.until_announced(FactoryChangedV1, 5)
    assert events[-1].owner_group == "Levant Group"
