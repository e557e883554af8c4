"""What access answers whom: success, 401, 403, 404, and what cannot be."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from contracts.access import BuyerRegisteredV1, FactoryRegisteredV1, GrantGivenV1
from contracts.identity import Principal, Shared
from contracts.vocabulary import ReportKind
from tests.access.parties import (
    ADMIN,
    ADVISOR,
    BUYER,
    FACTORY,
    GATEWAY,
    OTHER_BUYER,
    OTHER_FACTORY,
    a_factory,
    a_grant,
    access,
)
from tests.support.services import Running, signed

SHARED = msgspec.structs.replace(BUYER, shares={ReportKind.ASSESSMENT: Shared(frozenset({"f1"}))})


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/factories",
        "/api/v1/factories/f1",
        "/api/v1/buyers",
        "/api/v1/buyers/b1",
        "/api/v1/grants",
        "/api/v1/grants/g1",
        "/api/v1/grants/g1/receipt",
        "/api/v1/consent-ledger",
        "/internal/consent?gateway=g",
    ],
)
async def test_nobody_is_answered_without_a_principal(service: Running, path: str) -> None:
    assert (await service.http.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("POST", "/api/v1/factories", ADVISOR, 403),
        ("POST", "/api/v1/factories", FACTORY, 403),
        ("POST", "/api/v1/buyers", BUYER, 403),
        ("GET", "/api/v1/buyers", BUYER, 403),
        ("GET", "/api/v1/buyers/b1", BUYER, 404),
        ("POST", "/api/v1/grants", ADMIN, 403),
        ("POST", "/api/v1/grants", BUYER, 403),
        ("GET", "/api/v1/grants", ADVISOR, 403),
        ("DELETE", "/api/v1/grants/g1", ADMIN, 404),
        ("DELETE", "/api/v1/grants/g1", BUYER, 404),
        ("GET", "/api/v1/grants/g1/receipt", ADVISOR, 404),
        ("GET", "/api/v1/consent-ledger", FACTORY, 403),
        ("GET", "/api/v1/consent-ledger", BUYER, 403),
        ("GET", "/api/v1/consent-ledger", ADVISOR, 403),
        ("GET", "/internal/consent?gateway=g", ADMIN, 403),
        ("GET", "/api/v1/factories", GATEWAY, 403),
    ],
)
async def test_a_role_that_may_not_is_refused(
    service: Running, method: str, path: str, caller: Principal, status: int
) -> None:
    answer = await service.http.request(method, path, headers=signed(caller), json=a_factory())
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("caller", "seen"),
    [(ADMIN, ["f1", "f2"]), (ADVISOR, ["f1", "f2"]), (FACTORY, ["f1"]), (BUYER, []), (SHARED, ["f1"])],
)
async def test_everybody_lists_the_factories_in_scope(service: Running, caller: Principal, seen: list[str]) -> None:
    page = (await service.get("/api/v1/factories", caller)).json()
    assert [item["id"] for item in page["items"]] == seen
    for factory_id in ("f1", "f2"):
        answer = await service.get(f"/api/v1/factories/{factory_id}", caller)
        assert answer.status_code == (200 if factory_id in seen else 404)


async def test_a_buyer_does_not_learn_a_tax_id(service: Running) -> None:
    await service.post("/api/v1/factories", ADMIN, a_factory("f3", tax_id="T-1"))
    shared = msgspec.structs.replace(BUYER, shares={ReportKind.ASSESSMENT: Shared(frozenset({"f3"}))})
    assert (await service.get("/api/v1/factories/f3", shared)).json()["tax_id"] == ""
    assert (await service.get("/api/v1/factories/f3", ADMIN)).json()["tax_id"] == "T-1"


async def test_registering_again_with_the_same_id_changes_nothing(service: Running) -> None:
    assert (await service.post("/api/v1/factories", ADMIN, a_factory())).status_code == 201
    assert (await service.post("/api/v1/factories", ADMIN, a_factory(name="Other"))).status_code == 409
    await service.until_announced(BuyerRegisteredV1, 2)
    assert len(service.announced(FactoryRegisteredV1)) == 2


async def test_an_original_id_is_a_factory_s_own(service: Running) -> None:
    first = await service.post("/api/v1/factories", ADMIN, a_factory("f8", original_id="VN-1"))
    second = await service.post("/api/v1/factories", ADMIN, a_factory("f9", original_id="VN-1"))
    assert (first.status_code, second.status_code) == (201, 409)


async def test_factories_come_in_pages(service: Running) -> None:
    page = (await service.get("/api/v1/factories?limit=1", ADMIN)).json()
    rest = (await service.get(f"/api/v1/factories?limit=1&cursor={page['next_cursor']}", ADMIN)).json()
    assert [page["items"][0]["id"], rest["items"][0]["id"], rest["next_cursor"]] == ["f1", "f2", None]


async def test_a_factory_approves_a_buyer(service: Running) -> None:
    answer = await service.post("/api/v1/grants", FACTORY, a_grant(approved_by={"name": "Rana", "role": "owner"}))
    assert answer.status_code == 201
    assert answer.json()["kinds"] == ["assessment", "improvement_plan", "progress"]
    (event,) = await service.until_announced(GrantGivenV1)
    assert (event.grant_id, event.epoch, event.ends_on) == ("g1", 2, None)


async def test_approving_again_with_the_same_id_changes_nothing(service: Running) -> None:
    first = await service.post("/api/v1/grants", FACTORY, a_grant())
    again = await service.post("/api/v1/grants", FACTORY, a_grant())
    other = await service.post("/api/v1/grants", FACTORY, a_grant(kinds=["assessment"]))
    assert (again.status_code, again.json(), other.status_code) == (201, first.json(), 409)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"factory_id": "f2"}, 404),
        ({"factory_id": "nowhere"}, 404),
        ({"buyer_id": "nobody"}, 404),
        ({"buyer_id": "f1"}, 404),
        ({"kinds": []}, 400),
        ({"kinds": ["everything"]}, 400),
        ({"kinds": ["assessment", "quality_productivity"]}, 400),
        ({"kinds": ["quality_productivity", "improvement_plan", "progress"]}, 400),
        ({"starts_on": "2026-02-30"}, 400),
        ({"ends_on": "2020-01-01"}, 400),
        ({"id": "a/b"}, 400),
        ({"purpose": "p" * 501}, 400),
        ({"purpose": ""}, 400),
        ({"purpose": " \t"}, 400),
    ],
)
async def test_a_grant_that_cannot_be_is_refused(service: Running, fields: dict[str, object], status: int) -> None:
    assert (await service.post("/api/v1/grants", FACTORY, {**a_grant(), **fields})).status_code == status
    assert (await service.get("/api/v1/grants", ADMIN)).json()["items"] == []


@pytest.mark.parametrize(
    ("caller", "sees"), [(ADMIN, True), (FACTORY, True), (BUYER, True), (OTHER_FACTORY, False), (OTHER_BUYER, False)]
)
async def test_a_grant_is_seen_by_its_parties(service: Running, caller: Principal, sees: bool) -> None:  # noqa: FBT001
    await service.post("/api/v1/grants", FACTORY, a_grant())
    assert (await service.get("/api/v1/grants/g1", caller)).status_code == (200 if sees else 404)
    assert len((await service.get("/api/v1/grants", caller)).json()["items"]) == int(sees)


async def test_the_person_who_approved_is_not_shown_to_the_buyer(service: Running) -> None:
    await service.post("/api/v1/grants", FACTORY, a_grant(approved_by={"name": "Rana"}))
    assert (await service.get("/api/v1/grants/g1", BUYER)).json()["approved_by"] is None
    assert (await service.get("/api/v1/grants/g1", FACTORY)).json()["approved_by"]["name"] == "Rana"


async def test_grants_are_filtered_and_come_in_pages_newest_first(service: Running) -> None:
    for number in range(3):
        await service.post("/api/v1/grants", FACTORY, a_grant(f"g{number}"))
    await service.post("/api/v1/grants", OTHER_FACTORY, a_grant("other", factory_id="f2"))
    page = (await service.get("/api/v1/grants?factory_id=f1&limit=2", ADMIN)).json()
    rest = (await service.get(f"/api/v1/grants?factory_id=f1&cursor={page['next_cursor']}", ADMIN)).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == ["g2", "g1", "g0"]
    assert (await service.get("/api/v1/grants?cursor=nonsense", ADMIN)).status_code == 400
