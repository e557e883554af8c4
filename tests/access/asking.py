"""Requests for access as tests make and answer them."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts.events import Event
from contracts.identity import Principal
from services.access.usecases.requests import AccessRequests
from tests.access.parties import ADMIN, BUYER, FACTORY
from tests.support.services import Running

REQUESTS = "/api/v1/access-requests"
RANA = {"name": "Rana", "role": "owner"}
TODAY = datetime.now(UTC).date()


def a_request(request_id: str = "r1", **fields: object) -> dict[str, object]:
    return {"id": request_id, "factory_id": "f1", "purpose": "Sourcing for spring", **fields}


async def ask(service: Running, **fields: object) -> Any:
    answer = await service.post(REQUESTS, BUYER, a_request(**fields))  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    return answer.json()


async def accept(service: Running, request_id: str = "r1", caller: Principal = FACTORY, **fields: object) -> Any:
    return await service.post(f"{REQUESTS}/{request_id}/acceptance", caller, {"approved_by": RANA, **fields})


async def grants(service: Running) -> list[Any]:
    items: list[Any] = (await service.get("/api/v1/grants", ADMIN)).json()["items"]
    return items


async def told(service: Running, event: type[Event], count: int) -> list[Any]:
    """The events of a class, each once: what is written while the relay publishes may be published again."""
    await service.until_announced(event, count)
    bodies = {m.id: m.body for m in service.bus.messages if m.type == event.type}
    return [msgspec.json.decode(body, type=event) for body in bodies.values()]


def asking_of(service: Running) -> AccessRequests:
    asking = service.service.app.litestar.dependencies["access_requests"]
    found: AccessRequests = asking.dependency()  # type: ignore[union-attr]
    return found
