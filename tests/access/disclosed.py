"""Asking for disclosures without consent, and deciding on them, over HTTP."""

from datetime import date, timedelta
from typing import Any

import httpx

from contracts.identity import Principal, Role
from tests.access.parties import FACTORY, GATEWAY
from tests.support.services import Running, a_principal, signed

LEADER = a_principal(Role.TEAM_LEADER, subject="lena")
HEAD = a_principal(Role.ADMINISTRATOR, subject="amir")
BOTH = a_principal(Role.ADMINISTRATOR, Role.TEAM_LEADER, subject="lena")
REASON = "Imminent danger on the third floor"
PATH = "/api/v1/disclosures"


def a_disclosure(**fields: object) -> dict[str, object]:
    ends_on = (date.today() + timedelta(days=30)).isoformat()  # noqa: DTZ011 - a month ahead anywhere
    told = {"id": "d1", "factory_id": "f1", "buyer_ids": ["b1"], "kinds": ["assessment"], "ends_on": ends_on}
    return {**told, "case": "ZT-7", "reason": REASON, **fields}


async def ask(service: Running, caller: Principal = LEADER, **fields: object) -> httpx.Response:
    return await service.post(PATH, caller, a_disclosure(**fields))


async def confirm(service: Running, caller: Principal = HEAD, disclosure_id: str = "d1") -> httpx.Response:
    return await service.post(f"{PATH}/{disclosure_id}/confirmation", caller)


async def refuse(service: Running, caller: Principal = HEAD) -> httpx.Response:
    return await service.post(f"{PATH}/d1/refusal", caller, {"reason": "Not a case"})


async def end(service: Running, caller: Principal = LEADER) -> httpx.Response:
    return await service.http.delete(f"{PATH}/d1", headers=signed(caller))


async def state(service: Running, caller: Principal = HEAD) -> str:
    found: str = (await service.get(f"{PATH}/d1", caller)).json()["state"]
    return found


async def on_the_ledger(service: Running) -> list[tuple[str, str]]:
    """What gateways hear of disclosures: the kind and the buyer of each entry."""
    entries = (await service.get("/internal/consent?gateway=g", GATEWAY)).json()["entries"]
    return [(each["kind"], each["buyer_id"]) for each in entries if each["kind"].startswith("disclosure")]


async def notices(service: Running, caller: Principal = FACTORY, query: str = "") -> list[Any]:
    found: list[Any] = (await service.get(f"/api/v1/notices{query}", caller)).json()["items"]
    return found
