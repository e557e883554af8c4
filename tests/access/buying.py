"""Buying and spending credits over HTTP."""

from typing import Any

import httpx

from contracts.identity import Principal
from tests.access.parties import ADMIN, BUYER
from tests.support.services import Running, signed


async def buy(service: Running, credits_: int = 2, reference: str = "I-1", **fields: object) -> httpx.Response:
    body = {"buyer_id": "b1", "credits": credits_, "reference": reference, **fields}
    return await service.post("/api/v1/purchases", ADMIN, body)


async def spend(service: Running, cycle: int = 1, caller: Principal = BUYER, **fields: object) -> httpx.Response:
    body = {"buyer_id": "b1", "factory_id": "f1", "cycle": cycle, **fields}
    return await service.post("/api/v1/entitlements", caller, body)


async def end(service: Running, entitlement_id: str, query: str = "") -> httpx.Response:
    path = f"/api/v1/entitlements/{entitlement_id}?reason=Wrong+factory{query}"
    return await service.http.delete(path, headers=signed(ADMIN))


async def statement(service: Running, caller: Principal = BUYER, query: str = "") -> Any:
    answer = await service.get(f"/api/v1/statement{query}", caller)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def left(service: Running) -> int:
    found: int = (await statement(service))["closing_balance"]
    return found


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]
