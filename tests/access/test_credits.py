"""Credits are bought, spent on one cycle of one factory each, and never spent twice or below nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.identity import Principal
from contracts.reads import Act, ReadBatch
from tests.access.buying import buy, code, end, left, spend
from tests.access.logs import a_read
from tests.access.parties import ADMIN, ADVISOR, BUYER, FACTORY, GATEWAY, OTHER_BUYER, a_grant, access
from tests.support.services import Running, signed


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access where b1 has bought two credits, and f1 shares with it."""
    async with access(tmp_path) as running:
        assert (await buy(running)).status_code == 201
        assert (await running.post("/api/v1/grants", FACTORY, a_grant())).status_code == 201
        yield running


@pytest.mark.parametrize("path", ["/api/v1/purchases", "/api/v1/statement", "/api/v1/entitlements"])
async def test_nobody_is_answered_without_a_principal(service: Running, path: str) -> None:
    assert (await service.http.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("POST", "/api/v1/purchases", BUYER, 403),
        ("POST", "/api/v1/purchases", ADVISOR, 403),
        ("GET", "/api/v1/purchases", FACTORY, 403),
        ("GET", "/api/v1/statement", FACTORY, 403),
        ("POST", "/api/v1/entitlements", FACTORY, 403),
        ("DELETE", "/api/v1/entitlements/e1?reason=r", BUYER, 404),
    ],
)
async def test_a_role_that_may_not_is_refused(
    service: Running, method: str, path: str, caller: Principal, status: int
) -> None:
    answer = await service.http.request(method, path, headers=signed(caller), json={})
    assert answer.status_code == status


async def test_a_credit_opens_one_cycle_of_one_factory(service: Running) -> None:
    answer = await spend(service, 3)
    assert answer.status_code == 201
    found = answer.json()
    assert (found["factory_id"], found["cycles"], found["credits"], found["ends_on"]) == ("f1", [3], 1, None)
    assert await left(service) == 1


async def test_a_buyer_spends_its_own_credits_only(service: Running) -> None:
    assert code(await spend(service, caller=OTHER_BUYER)) == (404, "not_found")
    assert (await spend(service, caller=ADMIN)).status_code == 201


async def test_a_buyer_cannot_make_itself_a_partner(service: Running) -> None:
    answer = await service.post("/api/v1/entitlements", BUYER, {"buyer_id": "b1"})
    assert code(answer) == (403, "not_permitted")


async def test_without_a_credit_nothing_is_spent(service: Running) -> None:
    for cycle in (1, 2):
        assert (await spend(service, cycle)).status_code == 201
    assert code(await spend(service, 3)) == (409, "no_credit")
    assert await left(service) == 0


async def test_what_is_paid_for_takes_no_second_credit_whoever_asks_and_under_which_id(service: Running) -> None:
    first = (await spend(service, id="e1")).json()
    for again in (await spend(service, id="e1"), await spend(service, id="e2"), await spend(service, caller=ADMIN)):
        assert (again.status_code, again.json()) == (201, first)
    assert await left(service) == 1


async def test_the_id_of_another_entitlement_is_refused(service: Running) -> None:
    await spend(service, 1, id="e1")
    assert code(await spend(service, 2, id="e1")) == (409, "conflict")
    assert await left(service) == 1


async def test_a_partner_needs_no_credit(service: Running) -> None:
    assert (await service.post("/api/v1/entitlements", ADMIN, {"buyer_id": "b1"})).status_code == 201
    assert code(await spend(service)) == (409, "partner_needs_no_credit")


@pytest.mark.parametrize("factory_id", ["f2", "nowhere"])
async def test_no_credit_is_spent_on_a_factory_that_shares_nothing(service: Running, factory_id: str) -> None:
    assert code(await spend(service, factory_id=factory_id)) == (409, "nothing_shared")


async def test_no_credit_is_spent_on_a_grant_that_was_revoked_or_has_not_begun(service: Running) -> None:
    await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))
    await service.post("/api/v1/grants", FACTORY, a_grant("g2", starts_on="2030-01-01"))
    assert code(await spend(service)) == (409, "nothing_shared")


@pytest.mark.parametrize(
    "fields",
    [
        {"cycle": None},
        {"factory_id": None},
        {"cycle": 0},
        {"cycle": 100},
        {"ends_on": "2030-01-01"},
        {"factory_id": "a/b"},
        {"reference": "a\nb"},
    ],
)
async def test_half_an_entitlement_is_refused(service: Running, fields: dict[str, object]) -> None:
    body = {"buyer_id": "b1", "factory_id": "f1", "cycle": 1, **fields}
    assert code(await service.post("/api/v1/entitlements", BUYER, body)) == (400, "malformed")


async def test_a_partner_s_last_day_does_not_lie_before_its_first(service: Running) -> None:
    body = {"buyer_id": "b2", "starts_on": "2026-03-02", "ends_on": "2026-03-01"}
    assert code(await service.post("/api/v1/entitlements", ADMIN, body)) == (400, "malformed")


@pytest.mark.parametrize(
    "fields",
    [
        {"credits": 0},
        {"credits": 100_001},
        {"credits": 1.5},
        {"reference": ""},
        {"reference": " "},
        {"amount": "1,400", "currency": "USD"},
        {"amount": "1400\n", "currency": "USD"},
        {"amount": "1400"},
        {"amount": "1400", "currency": "usd"},
        {"amount": "-1400", "currency": "USD"},
    ],
)
async def test_a_purchase_that_no_invoice_says_is_refused(service: Running, fields: dict[str, object]) -> None:
    body = {"buyer_id": "b1", "credits": 1, "reference": "I-9", **fields}
    assert code(await service.post("/api/v1/purchases", ADMIN, body)) == (400, "malformed")
    assert await left(service) == 2


async def test_a_purchase_is_of_a_buyer_that_is_there(service: Running) -> None:
    assert code(await buy(service, buyer_id="nobody")) == (404, "not_found")


async def test_an_invoice_is_booked_once(service: Running) -> None:
    first = await buy(service, 3, "I-2", id="p2", amount="4200.00", currency="USD")
    again = await buy(service, 3, "I-2", id="p2", amount="4200.00", currency="USD")
    assert (again.status_code, again.json()) == (201, first.json())
    assert code(await buy(service, 4, "I-3", id="p2")) == (409, "conflict")
    assert code(await buy(service, 3, "I-2")) == (409, "reference_taken")
    assert (await buy(service, 1, "I-2", buyer_id="b2")).status_code == 201
    assert await left(service) == 5


async def test_a_correction_never_takes_more_than_the_balance(service: Running) -> None:
    await spend(service)
    assert code(await buy(service, -2, "C-1")) == (409, "credits_spent")
    assert (await buy(service, -1, "C-1", amount="-1400", currency="USD")).status_code == 201
    assert await left(service) == 0


async def test_an_entitlement_that_ended_shows_nothing_and_keeps_its_credit_unless_it_is_returned(
    service: Running,
) -> None:
    entitlement = (await spend(service)).json()
    for _ in range(2):
        assert (await end(service, entitlement["id"])).status_code == 204
    assert code(await end(service, entitlement["id"], "&return_credit=true")) == (409, "ended_without_return")
    assert await left(service) == 1
    (shown,) = (await service.get("/api/v1/entitlements", BUYER)).json()["items"]
    assert shown["ended_at"] is not None


async def test_after_an_end_the_same_cycle_takes_another_credit(service: Running) -> None:
    entitlement = (await spend(service, id="e1")).json()
    for query in ("&return_credit=true", "&return_credit=true", ""):
        assert (await end(service, entitlement["id"], query)).status_code == 204
    assert await left(service) == 2
    assert (await spend(service, id="e1")).json()["ended_at"] is not None
    assert (await spend(service, id="e2")).json()["ended_at"] is None
    assert await left(service) == 1


async def test_an_end_without_a_reason_or_of_nothing_is_refused(service: Running) -> None:
    bare = await service.http.delete("/api/v1/entitlements/e1", headers=signed(ADMIN))
    assert bare.status_code == 400
    assert code(await end(service, "e1")) == (404, "not_found")


async def test_a_partnership_has_no_credit_to_return(service: Running) -> None:
    await service.post("/api/v1/entitlements", ADMIN, {"id": "p", "buyer_id": "b1"})
    assert code(await end(service, "p", "&return_credit=true")) == (409, "nothing_to_return")
    assert (await end(service, "p")).status_code == 204
    assert code(await end(service, "p", "&return_credit=true")) == (409, "nothing_to_return")


@pytest.mark.parametrize(
    ("fields", "is_used"),
    [
        ({"cycles": (1,)}, True),
        ({"cycles": (1,), "act": Act.LISTED}, True),
        ({"cycles": ()}, True),
        ({"cycles": (2,)}, False),
        ({"cycles": (1,), "act": Act.CONFIRMED}, False),
        ({"cycles": (1,), "buyer_id": "b2"}, False),
        ({"cycles": (1,), "factory_id": "f2"}, False),
    ],
)
async def test_a_credit_comes_back_only_when_nothing_was_read_for_it(
    service: Running,
    fields: dict[str, Any],
    is_used: bool,  # noqa: FBT001
) -> None:
    entitlement = (await spend(service)).json()
    batch = ReadBatch(id="batch", reads=(a_read("r1", **fields),))
    recorded = await service.post("/internal/reads", GATEWAY, msgspec.to_builtins(batch))
    assert recorded.status_code == 204
    answer = await end(service, entitlement["id"], "&return_credit=true")
    if is_used:
        assert code(answer) == (409, "already_read")
    assert (answer.status_code, await left(service)) == ((409, 1) if is_used else (204, 2))


async def test_making_a_partner_again_changes_nothing_unless_something_else_is_said(service: Running) -> None:
    async def partner(**fields: object) -> httpx.Response:
        return await service.post("/api/v1/entitlements", ADMIN, {"id": "p", "buyer_id": "b1", **fields})

    first = await partner(starts_on="2026-01-05")
    assert (await partner()).json() == first.json()
    assert (await partner(starts_on="2026-01-05")).json() == first.json()
    assert code(await partner(starts_on="2026-01-06")) == (409, "conflict")
    assert code(await partner(reference="Agreement 2")) == (409, "conflict")
