"""Parties change: factories move, merge and leave, buyers close, and further parties join; their history tells."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.access import FactoryChangedV1
from contracts.identity import Principal, Role, Shared
from contracts.vocabulary import ReportKind
from services.access.domain.party import NEXT, FactoryStatus
from tests.access.parties import (
    ADMIN,
    ADVISOR,
    BUYER,
    FACTORY,
    GATEWAY,
    LEASE_S,
    OTHER_FACTORY,
    a_factory,
    a_grant,
    access,
)
from tests.support.services import Running, a_principal, signed

F1 = "/api/v1/factories/f1"
B1 = "/api/v1/buyers/b1"
SHARED = msgspec.structs.replace(BUYER, shares={ReportKind.ASSESSMENT: Shared(frozenset({"f1"}))})
SHA256 = "a" * 64
VENDOR = a_principal(Role.BUYER, party_id="v1")


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def patch(service: Running, path: str, body: dict[str, object], caller: Principal = ADMIN) -> Any:
    answer = await service.http.patch(path, headers=signed(caller), json=body)
    return answer.json() if answer.status_code == 200 else answer.status_code


async def move(service: Running, path: str, **body: object) -> Any:
    return await service.post(f"{path}/status", ADMIN, {"reason": "Because", **body})


@pytest.mark.parametrize(("status", "wanted"), list(itertools.permutations(FactoryStatus, 2)))
async def test_a_factory_takes_the_statuses_that_the_table_lists(
    service: Running, status: FactoryStatus, wanted: FactoryStatus
) -> None:
    into = {FactoryStatus.MERGED: "f2"}
    if status is not FactoryStatus.ACTIVE:
        assert (await move(service, F1, status=status, merged_into=into.get(status))).status_code == 201
    answer = await move(service, F1, status=wanted, merged_into=into.get(wanted))
    assert answer.status_code == (201 if wanted in NEXT[status] else 409)
    assert (await service.get(F1, ADMIN)).json()["status"] == (wanted if wanted in NEXT[status] else status)


async def test_a_merger_names_an_active_factory_other_than_itself(service: Running) -> None:
    for body in ({"merged_into": None}, {"merged_into": "f1"}):
        answer = await move(service, F1, status="merged", **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "factory_not_active")
    assert (await move(service, F1, status="merged", merged_into="nowhere")).status_code == 404
    await move(service, "/api/v1/factories/f2", status="obsolete")
    assert (await move(service, F1, status="merged", merged_into="f2")).status_code == 409


async def test_a_renamed_factory_is_found_by_its_old_name(service: Running) -> None:
    told = await patch(service, F1, {"name": "Petra Garments", "reason": "New owner", "on": "2026-01-02"})
    assert (told["name"], told["former_names"]) == ("Petra Garments", ["f1"])
    _, change = told["history"]
    assert (change["what"], change["on"], change["by"], change["reason"]) == (
        "renamed",
        "2026-01-02",
        "someone",
        "New owner",
    )
    assert (change["before"], change["after"]) == ({"name": "f1"}, {"name": "Petra Garments"})
    for name in ("f1", "Petra Garments"):
        page = (await service.get(f"/api/v1/factories?name={name}", ADMIN)).json()
        assert [item["id"] for item in page["items"]] == ["f1"]
    assert (await service.get("/api/v1/factories?name=f1", OTHER_FACTORY)).json()["items"] == []


async def test_what_changes_is_announced_as_it_is_now(service: Running) -> None:
    await patch(service, F1, {"address": {"city": "Irbid"}, "industry": "C15", "reason": "Moved"})
    await move(service, F1, status="obsolete", on="2026-02-01")
    events = await service.until_announced(FactoryChangedV1, 2)
    assert [(event.industry, event.status) for event in events][-1] == ("C15", "obsolete")
    history = (await service.get(F1, FACTORY)).json()["history"]
    assert [change["what"] for change in history] == ["registered", "moved", "obsolete"]


async def test_the_same_change_again_changes_nothing(service: Running) -> None:
    for _ in range(2):
        await patch(service, F1, {"name": "Petra", "reason": "New owner"})
        await move(service, F1, status="obsolete")
    assert len((await service.get(F1, ADMIN)).json()["history"]) == 3


@pytest.mark.parametrize(
    "fields", [{"lei": "x"}, {"os_id": "x"}, {"name": ""}, {"time_zone": "Mars"}, {"industry": "x"}]
)
async def test_a_factory_cannot_become_what_it_could_not_be(service: Running, fields: dict[str, object]) -> None:
    assert await patch(service, F1, {**fields, "reason": "Typing"}) == 400


async def test_only_administrators_change_parties(service: Running) -> None:
    for caller in (ADVISOR, FACTORY, BUYER):
        assert await patch(service, F1, {"name": "Mine", "reason": "Mine"}, caller) == 404
        assert (await service.post(f"{B1}/status", caller, {"status": "closed", "reason": "x"})).status_code == 404
        assert (await service.post("/api/v1/organisations", caller, {"kind": "agent", "name": "x"})).status_code == 403


async def test_a_buyer_does_not_see_who_changed_a_factory(service: Running) -> None:
    await patch(service, F1, {"name": "Petra", "reason": "A quarrel"})
    assert (await service.get(F1, SHARED)).json()["history"] == []


async def test_the_directory_shows_what_is_public_of_active_factories_and_nothing_else(service: Running) -> None:
    await patch(service, F1, {"address": {"city": "Irbid"}, "tax_id": "T-1", "reason": "Moved"})
    await move(service, "/api/v1/factories/f2", status="obsolete")
    (item,) = (await service.get("/api/v1/factory-directory", BUYER)).json()["items"]
    assert item == {
        "id": "f1",
        "name": "f1",
        "city": "Irbid",
        "country": "JO",
        "industry": "C14",
        "status": "active",
        "os_id": "",
    }
    assert (await service.get("/api/v1/factory-directory", FACTORY)).status_code == 403


async def test_a_factory_that_left_is_asked_for_nothing(service: Running) -> None:
    await move(service, F1, status="obsolete")
    answer = await service.post("/api/v1/access-requests", BUYER, {"factory_id": "f1", "purpose": "Sourcing"})
    assert (answer.status_code, answer.json()["code"]) == (409, "factory_not_active")


async def test_a_registration_tells_who_stood_for_the_party_and_is_for_it_and_the_programme(service: Running) -> None:
    stood = {"name": " Rana ", "role": "owner", "document_sha256": SHA256}
    bodies: dict[str, dict[str, object]] = {
        "/api/v1/factories": a_factory("f3"),
        "/api/v1/buyers": {"id": "b3", "name": "b3"},
        "/api/v1/organisations": {"id": "v3", "kind": "vendor", "name": "v3"},
    }
    for path, body in bodies.items():
        answers = [await service.post(path, ADMIN, {**body, "registration": stood}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        told = (await service.get(f"{path}/{body['id']}", ADMIN)).json()
        registration, (begun,) = told["registration"], told["history"]
        assert {name: registration[name] for name in ("name", "role", "document_sha256", "by")} == {
            "name": "Rana",
            "role": "owner",
            "document_sha256": SHA256,
            "by": "someone",
        }
        assert (begun["what"], begun["by"], begun["at"]) == ("registered", "someone", registration["at"])
        wrong: dict[str, object] = {"id": "other", "registration": {**stood, "document_sha256": "x"}}
        assert (await service.post(path, ADMIN, {**body, **wrong})).status_code == 400
    own = a_principal(Role.FACTORY, party_id="f3")
    assert (await service.get("/api/v1/factories/f3", own)).json()["registration"]["name"] == "Rana"
    sharing = msgspec.structs.replace(BUYER, shares={ReportKind.ASSESSMENT: Shared(frozenset({"f3"}))})
    for path, stranger in (("factories/f3", sharing), ("buyers/b3", own), ("organisations/v3", own)):
        answer = (await service.get(f"/api/v1/{path}", stranger)).json()
        assert (answer["registration"], answer["history"]) == (None, [])
    for path in ("buyers", "organisations"):
        items = (await service.get(f"/api/v1/{path}", own)).json()["items"]
        assert [item["registration"] for item in items] == [None] * len(items)
    assert "Rana" not in (await service.get("/api/v1/factory-directory", BUYER)).text


async def test_a_party_that_is_imported_without_a_person_tells_who_wrote_it_down(service: Running) -> None:
    for path in (F1, B1):
        registration = (await service.get(path, ADMIN)).json()["registration"]
        assert (registration["name"], registration["document_sha256"], registration["by"]) == ("", "", "someone")


async def test_closing_a_buyer_returns_only_when_every_gateway_knows(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant())
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    await asyncio.sleep(LEASE_S)
    await service.get("/internal/consent?gateway=gw", GATEWAY)
    began = time.monotonic()
    assert (await move(service, B1, status="closed")).json()["status"] == "closed"
    assert time.monotonic() - began > LEASE_S * 0.9
    assert (await service.get(B1, FACTORY)).json()["status"] == "closed"


async def test_a_buyer_is_closed_and_opened_again_and_its_history_tells(service: Running) -> None:
    for status in ("closed", "closed", "active"):
        assert (await move(service, B1, status=status)).json()["status"] == status
    assert (await patch(service, B1, {"level": "partner", "reason": "Signed"}))["level"] == "partner"
    history = (await service.get(B1, ADMIN)).json()["history"]
    assert [change["what"] for change in history] == ["registered", "closed", "active", "changed"]
    assert (await service.get(B1, FACTORY)).json()["history"] == []


async def test_a_vendor_is_granted_to_like_a_buyer_and_a_ministry_is_not(service: Running) -> None:
    for kind in ("vendor", "ministry"):
        body = {"id": f"{kind[0]}1", "kind": kind, "name": kind.title(), "country": "KR"}
        assert (await service.post("/api/v1/organisations", ADMIN, body)).status_code == 201
    assert (await service.post("/api/v1/grants", FACTORY, a_grant(buyer_id="v1"))).status_code == 201
    assert (await service.post("/api/v1/grants", FACTORY, a_grant("g2", buyer_id="m1"))).status_code == 404
    asked = {"id": "r1", "factory_id": "f2", "purpose": "Sourcing"}
    assert (await service.post("/api/v1/access-requests", VENDOR, asked)).status_code == 201
    assert (await move(service, "/api/v1/buyers/v1", status="closed")).json()["status"] == "closed"
    found = (await service.get("/api/v1/organisations?kind=vendor", FACTORY)).json()["items"]
    assert [item["id"] for item in found] == ["v1"]
    assert (await service.get("/api/v1/organisations/v1", VENDOR)).status_code == 404


async def test_a_factory_belongs_to_a_group_that_exists(service: Running) -> None:
    await service.post("/api/v1/organisations", ADMIN, {"id": "g1", "kind": "group", "name": "Levant", "country": "KR"})
    await service.post("/api/v1/organisations", ADMIN, {"id": "v1", "kind": "vendor", "name": "Vendor"})
    for group_id in ("nowhere", "v1"):
        assert await patch(service, F1, {"group_id": group_id, "reason": "Bought"}) == 404
    assert (await patch(service, F1, {"group_id": "g1", "reason": "Bought"}))["group_id"] == "g1"


async def test_a_group_sees_its_factories_and_grants_for_those_that_let_it(service: Running) -> None:
    await service.post("/api/v1/organisations", ADMIN, {"id": "g1", "kind": "group", "name": "Levant"})
    group = a_principal(Role.GROUP, party_id="g1")
    assert (await service.get("/api/v1/factories", group)).json()["items"] == []
    await patch(service, F1, {"group_id": "g1", "reason": "Bought"})
    await service.post("/api/v1/grants", FACTORY, a_grant())
    await service.post("/api/v1/grants", OTHER_FACTORY, a_grant("g2", factory_id="f2"))
    assert [item["id"] for item in (await service.get("/api/v1/factories", group)).json()["items"]] == ["f1"]
    assert [item["id"] for item in (await service.get("/api/v1/grants", group)).json()["items"]] == ["g1"]
    assert (await service.get("/api/v1/grants/g2", group)).status_code == 404
    assert (await service.post("/api/v1/grants", group, a_grant("g3"))).status_code == 404
    await patch(service, F1, {"owner_may_grant": True, "reason": "The factory asked for it"})
    assert (await service.post("/api/v1/grants", group, a_grant("g3", buyer_id="b2"))).status_code == 201
    assert (await service.post("/api/v1/grants", group, a_grant("g4", factory_id="f2"))).status_code == 404


async def test_nobody_is_a_group_by_saying_which_factories_it_has(service: Running) -> None:
    forged = msgspec.structs.replace(a_principal(Role.GROUP, party_id="g1"), factories=frozenset({"f1"}))
    assert (await service.get("/api/v1/factories", forged)).json()["items"] == []


async def test_an_organisation_has_a_country_and_a_lei_that_can_be(service: Running) -> None:
    wrong = [{"country": country} for country in ("Korea", "kr", "K1", "KR\n")]
    for fields in (*wrong, {"lei": "x"}, {"kind": "club"}):
        body = {"kind": "group", "name": "Levant", **fields}
        assert (await service.post("/api/v1/organisations", ADMIN, body)).status_code == 400
