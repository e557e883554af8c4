"""A running access service with a factory or two and a buyer or two."""

import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from contracts.identity import Role
from services.access.app import make_service
from services.runtime.service import Ports, Service
from services.runtime.settings import Settings
from tests.support.services import Running, a_principal, running_service

LEASE_S = 0.6
ADMIN = a_principal(Role.ADMINISTRATOR)
ADVISOR = a_principal(Role.ADVISOR)
FACTORY = a_principal(Role.FACTORY, party_id="f1")
OTHER_FACTORY = a_principal(Role.FACTORY, party_id="f2")
BUYER = a_principal(Role.BUYER, party_id="b1")
OTHER_BUYER = a_principal(Role.BUYER, party_id="b2")
GATEWAY = a_principal(Role.GATEWAY)


def with_short_leases(settings: Settings, ports: Ports, changes: Mapping[str, object]) -> Service:
    return make_service(msgspec.structs.replace(settings, **{"lease_s": LEASE_S, **changes}), ports)


def a_factory(factory_id: str = "f1", **fields: object) -> dict[str, object]:
    return {"id": factory_id, "name": factory_id, "industry": "C14", "time_zone": "Asia/Amman", **fields}


def a_grant(grant_id: str = "g1", **fields: object) -> dict[str, object]:
    return {"id": grant_id, "factory_id": "f1", "buyer_id": "b1", "purpose": "review", **fields}


@asynccontextmanager
async def access(folder: Path, *, is_new: bool = True, **settings: object) -> AsyncIterator[Running]:
    """Access with factories f1 and f2 and buyers b1 and b2; ``settings`` are changes to the usual ones."""
    async with running_service(functools.partial(with_short_leases, changes=settings), folder) as running:
        if is_new:
            for factory_id in ("f1", "f2"):
                assert (await running.post("/api/v1/factories", ADMIN, a_factory(factory_id))).status_code == 201
            for buyer_id in ("b1", "b2"):
                body = {"id": buyer_id, "name": buyer_id}
                assert (await running.post("/api/v1/buyers", ADMIN, body)).status_code == 201
        yield running


@asynccontextmanager
async def sharing_access(folder: Path) -> AsyncIterator[Running]:
    """Access in which factory f1 shares everything on compliance with buyer b1, a partner."""
    async with access(folder) as running:
        await running.post("/api/v1/entitlements", ADMIN, {"buyer_id": "b1"})
        await running.post("/api/v1/grants", FACTORY, a_grant())
        yield running
