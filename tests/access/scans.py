"""Scans of what a factory signed, and what staff record from them, over HTTP."""

from typing import Final

import httpx

from contracts.identity import Principal, Role
from tests.support.services import Running, a_principal, signed

PAPERS: Final = "/api/v1/consent-documents"
LEADER: Final = a_principal(Role.TEAM_LEADER)
PNG: Final = b"\x89PNG\r\n\x1a\n" + b"scan"
RANA: Final = {"name": "Rana", "role": "owner"}


async def upload(
    service: Running, caller: Principal = LEADER, factory_id: str = "f1", content: bytes = PNG
) -> httpx.Response:
    return await service.http.post(f"{PAPERS}?factory_id={factory_id}", headers=signed(caller), content=content)


async def record(service: Running, paper_id: str, caller: Principal = LEADER, **fields: object) -> httpx.Response:
    body = {"id": "g1", "buyer_id": "b1", "purpose": "review", "approved_by": RANA, **fields}
    return await service.post(f"{PAPERS}/{paper_id}/grant", caller, body)


async def withdraw(
    service: Running, paper_id: str, caller: Principal = LEADER, grant_id: str = "g1", **fields: object
) -> httpx.Response:
    body = {"grant_id": grant_id, "said_by": RANA, **fields}
    return await service.post(f"{PAPERS}/{paper_id}/withdrawal", caller, body)
