"""The servers of the measured reads, in a process of their own: ``serving ROLE GRANTS BUYERS [SERVICE ACCESS]``.

``service`` is a Litestar service with small reports, and access beside it; ``gateways`` are gateways in front of one,
in process and over HTTP, each with its reads on record at access and without, with a ledger of that many grants, and
the bare decision over HTTP. The last arguments are the addresses of the first role. Addresses are the first line, as
JSON.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
import uvloop
from litestar import Response, get
from litestar.params import Parameter
from litestar.types import Receive, Scope, Send

from contracts.access import ConsentAnswer, ConsentEntry
from contracts.answers import about
from contracts.identity import Principal, Role
from contracts.permissions import Permission
from contracts.vocabulary import ReportKind
from gateway.app import make_gateway
from gateway.dev_issuer import DevUser
from gateway.inprocess import InProcessUpstream
from gateway.replica import Replica, Subject
from gateway.upstream import HttpUpstream, Upstream
from services.access.app import make_service as make_access
from services.runtime.http import Injected, make_app, requires
from services.runtime.identity import Verifier, verify_key_of
from services.runtime.service import Ports, Service
from services.runtime.settings import Secret, Settings
from services.runtime.tracing import TracedApp
from tests.bench.ledger import BUYER, entries, factory
from tests.gateway.running import DOCUMENT, everywhere, gateway_settings, serving
from tests.support.services import running_service

KEY = "STAR_TEST_SIGNING_KEY"
LEASE_S = 5.0
LOGGED = ", logged"
USERS = (
    DevUser("buyer", "A buyer", frozenset({Role.BUYER}), BUYER),
    DevUser("advisor", "An advisor", frozenset({Role.ADVISOR})),
)


class Report(msgspec.Struct, frozen=True):
    """A small report."""

    id: str
    factory_id: str
    cycle: int
    rates: dict[str, tuple[int, int]]


def service() -> TracedApp:
    """A service with a report of each factory, which it shows to whoever is in scope, as reporting does."""

    @get("/api/v1/reports/{report_id:str}", guards=[requires(Permission.REPORT_READ)], sync_to_thread=False)
    def report(
        report_id: Annotated[str, Parameter(max_length=64)], principal: Injected[Principal]
    ) -> Response[Report | None]:
        kind, factory_id = ReportKind.ASSESSMENT, factory(int(report_id.removeprefix("r")))
        if not principal.scope().covers(factory_id, kind):
            return Response(None, status_code=404)
        rates = {f"cluster-{number}": (number, 40) for number in range(8)}
        return Response(Report(report_id, factory_id, 3, rates), headers=about(factory_id, (kind,), 3, report_id))

    verifier = Verifier(verify_key_of(os.environ[KEY]))
    return make_app("A service", [report], verifier=verifier, dependencies={}, checks={})


class NoRecord:
    """Takes every read for recorded: what a gateway does without a read log."""

    async def put(self, batch: bytes) -> None:
        """Do nothing."""


class FixedConsent:
    """A ledger that does not change."""

    def __init__(self, ledger: tuple[ConsentEntry, ...]) -> None:
        self._ledger = ledger

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:  # noqa: ARG002
        if after == len(self._ledger):
            await asyncio.sleep(wait_s)
        return ConsentAnswer(entries=self._ledger[after:], epoch=len(self._ledger), lease_s=LEASE_S)


class Decisions:
    """The bare decision over HTTP: an ASGI application that answers ``?buyer=&factory=&kind=``."""

    def __init__(self, ledger: tuple[ConsentEntry, ...]) -> None:
        self._replica = Replica(today=date.today, clock=lambda: 0.0)
        self._replica.take(ConsentAnswer(entries=ledger, epoch=len(ledger), lease_s=LEASE_S), sent_at=0.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        assert scope["type"] == "http"  # type: ignore[comparison-overlap]
        asked = parse_qs(scope["query_string"].decode())
        decision = self._replica.decide(asked["buyer"][0])
        is_allowed = self._replica.stands(decision, Subject(asked["factory"][0], (ReportKind(asked["kind"][0]),)))
        body = msgspec.json.encode({"allowed": is_allowed})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def main(role: str, grants: int, buyers: int, service_url: str = "", access_url: str = "") -> None:
    """Serve until the standard input ends."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="star-bench-")))
        app = (await stack.enter_async_context(running_service(_access, folder / "access"))).service.app
        urls: dict[str, str] = {}
        if role == "service":
            urls["service"] = await stack.enter_async_context(serving(service()))
            urls["access"] = await stack.enter_async_context(serving(app))
        else:
            ledger = tuple(entries(grants, buyers=buyers))
            urls["decisions"] = await stack.enter_async_context(serving(Decisions(ledger)))
            ways: dict[str, tuple[Upstream, Upstream]] = {
                "inprocess": (InProcessUpstream(service()), InProcessUpstream(app)),
                "http": (HttpUpstream(service_url), HttpUpstream(access_url)),
            }
            for name, (upstream, access) in ways.items():
                upstreams = {**everywhere(upstream), "access": access}
                for suffix, sink in (("", NoRecord()), (LOGGED, None)):
                    place = folder / f"{name}{suffix}"
                    urls[name + suffix] = await _gateway(stack, place, upstreams, FixedConsent(ledger), sink)
        sys.stdout.write(msgspec.json.encode(urls).decode() + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _access(settings: Settings, ports: Ports) -> Service:
    """Access, which believes the gateways of this run."""
    return make_access(msgspec.structs.replace(settings, verify_key=verify_key_of(os.environ[KEY])), ports)


async def _gateway(
    stack: AsyncExitStack, folder: Path, upstreams: Mapping[str, Upstream], consent: Any, sink: NoRecord | None
) -> str:
    settings = msgspec.structs.replace(
        gateway_settings(folder), signing_key=Secret(os.environ[KEY]), data_folder=folder, lease_s=LEASE_S
    )
    gateway = make_gateway(settings, upstreams, consent, read_sink=sink, dev_users=USERS, document=DOCUMENT)
    await gateway.start()
    stack.push_async_callback(gateway.stop)
    return await stack.enter_async_context(serving(gateway.app))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:]))
