"""Two gateways before a real access and a scripted service, and requests that carry an ``Idempotency-Key``."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.inprocess import InProcessUpstream
from gateway.upstream import Incoming, Outgoing, UpstreamDown, UpstreamNotReached
from services.access.app import make_service
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Got, Scripted, a_gateway, split
from tests.journeys.routes import DOCUMENT
from tests.support.services import Running, running_service

FACTORIES, FINALISATION, RENEWAL = "/api/v1/factories", "/api/v1/visits/v1/finalisation", "/api/v1/agreements/a/renewal"
FACTORY = {"name": "Sewing", "industry": "C14", "time_zone": "Asia/Amman"}
MARKS = [(b"star-factory", b"f1"), (b"star-kind", b"assessment")]
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@dataclass
class Trouble(InProcessUpstream):
    """A service that is reached, with whatever the test lets happen before and after."""

    app: Any
    lost: Callable[[Outgoing], bool] = lambda _: False
    unreached: Callable[[Outgoing], bool] = lambda _: False
    hold: asyncio.Event | None = None
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.app)

    @contextlib.asynccontextmanager
    async def exchange(self, request: Outgoing) -> AsyncIterator[Incoming]:
        if self.unreached(request):
            raise UpstreamNotReached("not reached")
        if request.target.startswith("/api/"):
            self.seen.append(request.target)
            if self.hold is not None:
                await self.hold.wait()
        async with super().exchange(request) as answer:
            if self.lost(request):
                async for _ in answer.chunks:
                    pass
                raise UpstreamDown("the answer was lost")
            yield answer


@dataclass
class Stage:
    """Two gateways before one real access, and before one scripted service for everything else."""

    one: Door
    two: Door
    access: Running
    near: Trouble
    service: Scripted
    other: Trouble
    consent: FedConsent

    async def factories(self) -> list[Any]:
        items: list[Any] = (await self.two.ask("GET", FACTORIES, "admin")).json()["items"]
        return items


@contextlib.asynccontextmanager
async def a_stage(folder: Path) -> AsyncIterator[Stage]:
    consent = FedConsent()
    consent.give("g1", "f1")
    service = Scripted(body=b'{"id": "x"}')
    async with running_service(make_service, folder) as access:
        asked = split(access.service.app, RENEWAL, service)
        near, other = Trouble(asked), Trouble(service)
        upstreams = {**dict.fromkeys(("assessment", "remediation", "training", "reporting"), other), "access": near}
        untroubled = {**upstreams, "access": Trouble(asked)}
        async with (
            a_gateway(folder / "1", upstreams, consent, document=DOCUMENT) as one,
            a_gateway(folder / "2", untroubled, consent, document=DOCUMENT) as two,
        ):
            await consent.heard(gateways=2)
            yield Stage(one, two, access, near, service, other, consent)


async def post(door: Door, path: str = FACTORIES, body: object = FACTORY, user: str = "admin", key: str = KEY) -> Got:
    return await door.ask("POST", path, user, json=body, headers={"idempotency-key": key})


def code(got: Got) -> tuple[int, str]:
    return got.status, got.json()["code"]
