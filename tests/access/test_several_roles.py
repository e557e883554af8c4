"""Somebody of the programme who also speaks for a party sees of other parties no more than its roles show each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.identity import Role
from tests.access.buying import buy
from tests.access.disclosed import ask, confirm, end
from tests.access.parties import ADMIN, BUYER, FACTORY, a_grant, access
from tests.support.services import Running, a_principal, signed

IN_TWO_ROLES = {
    "factory": a_principal(Role.ADVISOR, Role.FACTORY, party_id="f2"),
    "buyer": a_principal(Role.ADVISOR, Role.BUYER, party_id="b2"),
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with everything between f1 and b1."""
    async with access(tmp_path) as running:
        await buy(running)
        await running.post("/api/v1/grants", FACTORY, a_grant())
        await running.post("/api/v1/entitlements", BUYER, {"buyer_id": "b1", "factory_id": "f1", "cycle": 1})
        await running.post("/api/v1/access-requests", BUYER, {"id": "a1", "factory_id": "f1", "purpose": "Sourcing"})
        await ask(running)
        await confirm(running)
        yield running


@pytest.mark.parametrize(
    ("party", "path"),
    [
        *((party, path) for party in IN_TWO_ROLES for path in ("grants", "access-requests", "disclosures")),
        *(("factory", path) for path in ("notices", "reads")),
        *(("buyer", path) for path in ("purchases", "entitlements", "statement")),
    ],
)
async def test_a_list_holds_what_the_party_is_part_of(service: Running, party: str, path: str) -> None:
    seen = await service.get(f"/api/v1/{path}", IN_TWO_ROLES[party])
    assert (seen.status_code, seen.json()["items"]) == (200, [])
    if path not in {"reads", "notices"}:  # of which there are none, or which are for factories alone
        assert (await service.get(f"/api/v1/{path}", ADMIN)).json()["items"] != []


@pytest.mark.parametrize("party", IN_TWO_ROLES)
@pytest.mark.parametrize(
    "path", ["grants/g1", "grants/g1/receipt", "access-requests/a1", "disclosures/d1", "disclosures/d1/receipt"]
)
async def test_what_is_between_others_is_not_there(service: Running, party: str, path: str) -> None:
    assert (await service.get(f"/api/v1/{path}", IN_TWO_ROLES[party])).status_code == 404
    assert (await service.get(f"/api/v1/{path}", ADMIN)).status_code == 200


async def test_another_factory_s_read_log_is_not_there(service: Running) -> None:
    for path in ("read-log", "read-log/head"):
        assert (await service.get(f"/api/v1/factories/f1/{path}", IN_TWO_ROLES["factory"])).status_code == 404


async def test_another_factory_s_disclosure_is_not_there_to_be_ended(service: Running) -> None:
    answer = await service.http.delete("/api/v1/disclosures/d1", headers=signed(IN_TWO_ROLES["factory"]))
    assert answer.status_code == 404
    assert (await end(service)).status_code == 204
