"""A gateway on a real socket before a service that the test scripts, over either upstream adapter."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import msgspec
import uvicorn
from litestar.types import ASGIApp, Receive, Scope, Send

from contracts.identity import Role
from gateway.app import Gateway, make_gateway
from gateway.dev_issuer import DevUser
from gateway.inprocess import InProcessUpstream
from gateway.upstream import HttpUpstream, Upstream
from services.runtime.connections import CarefulHttp
from services.runtime.settings import Settings
from tests.gateway.feed import LEASE_S, FedConsent, KeptReads
from tests.support.eventually import eventually
from tests.support.services import settings_for

DOCUMENT: dict[str, Any] = {
    "paths": {
        "/api/v1/factories": {"get": {}, "post": {}},
        "/api/v1/factories/{factory_id}": {"get": {}},
        "/api/v1/buyers": {"get": {}, "post": {}},
        "/api/v1/grants": {"get": {}, "post": {}},
        "/api/v1/grants/{grant_id}": {"get": {}, "delete": {}},
        "/api/v1/visits/{visit_id}/answers": {"put": {}},
        "/api/v1/visits/{visit_id}/evidence": {"post": {}},
        "/api/v1/reports": {"get": {}},
        "/api/v1/reports/{report_id}": {"get": {}},
        "/api/v1/reports/{report_id}/file": {"get": {}},
        "/api/v1/openapi.json": {"get": {}},
    }
}
USERS = (
    DevUser("admin", "An administrator", frozenset({Role.ADMINISTRATOR})),
    DevUser("factory", "A factory", frozenset({Role.FACTORY}), "f1"),
    DevUser("other-factory", "Another factory", frozenset({Role.FACTORY}), "f2"),
    DevUser("buyer", "A buyer", frozenset({Role.BUYER}), "b1"),
    DevUser("group", "A group", frozenset({Role.GROUP}), "g1"),
    DevUser("nobody", "No role", frozenset()),
)


@dataclass
class Seen:
    """A request as the service got it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def claims(self) -> dict[str, Any]:
        """The claims of the signed principal, unverified."""
        token = self.headers["authorization"].removeprefix("Bearer ")
        return jwt.decode(token, options={"verify_signature": False})


@dataclass
class Scripted:
    """A service that notes what arrives and answers what the test says."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"content-type", b"application/json")])
    chunks: Callable[[], AsyncIterator[bytes]] | None = None
    body: bytes = b'{"items":[],"next_cursor":null}'
    seen: list[Seen] = field(default_factory=list)
    cancelled: int = 0
    finished: int = 0
    hold: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"  # type: ignore[comparison-overlap]
        if scope["path"] == "/health/ready":
            await _whole(send, 200, [], b"{}")
            return
        await self._note(scope, receive)
        try:
            if self.hold is not None:
                await self.hold.wait()
            await self._answer(receive, send)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.finished += 1

    async def _note(self, scope: Any, receive: Receive) -> None:
        body, more = b"", True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                self.cancelled += 1
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        raw = (scope.get("raw_path") or b"").decode()
        self.seen.append(Seen(scope["method"], raw, scope["query_string"].decode(), headers, body))

    async def _answer(self, receive: Receive, send: Send) -> None:
        if self.chunks is None:
            await _whole(send, self.status, self.headers, self.body)
            return
        left = asyncio.ensure_future(receive())
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            async for chunk in self.chunks():
                if left.done():
                    raise asyncio.CancelledError
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            left.cancel()


async def _whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port of this machine."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, http=CarefulHttp)
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    await server.on_tick(0)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await _end(server)


async def _end(server: uvicorn.Server) -> None:
    """Hang up; uvicorn itself would wait for two tenths of a second, also for nobody."""
    for listening in server.servers:
        listening.close()
    state = server.server_state
    for connection in list(state.connections):
        connection.shutdown()
    for _ in range(100):
        if not (state.connections or state.tasks):
            return
        await asyncio.sleep(0.001)


@dataclass
class Door:
    """A running gateway and a client."""

    gateway: Gateway
    url: str
    http: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, user: str) -> str:
        if user not in self.tokens:
            async with self.http.post(f"{self.url}/dev/token", json={"user": user}) as answer:
                assert answer.status == 200, await answer.text()
                self.tokens[user] = (await answer.json())["access_token"]
        return self.tokens[user]

    async def ask(self, method: str, path: str, user: str | None = None, **options: Any) -> "Got":
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["authorization"] = f"Bearer {await self.token(user)}"
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            return Got(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read())

    async def no_lease(self, consent: FedConsent) -> None:
        """Let access fall silent, and return when the lease has run out."""
        consent.is_answering = False
        replica = self.gateway.app._proxy._replica
        await eventually(lambda: replica.lease_left_s() <= 0, saying="the lease runs out")


@dataclass
class Got:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def gateway_settings(folder: Path, **changes: Any) -> Settings:
    return msgspec.structs.replace(settings_for(folder), lease_s=LEASE_S, **changes)


@contextlib.asynccontextmanager
async def a_gateway(
    folder: Path,
    upstreams: Mapping[str, Upstream],
    source: Any = None,
    *,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Door]:
    """A gateway with the development issuer, listening; with a ``source`` of its own it keeps its reads to itself.

    ``settings`` are changes to the usual ones.
    """
    own = {"read_sink": KeptReads()} if source is not None else {}
    options = {"dev_users": USERS, "document": DOCUMENT, **own, **more}
    gateway = make_gateway(gateway_settings(folder, **(settings or {})), upstreams, source, **options)
    await gateway.start()
    try:
        async with serving(gateway.app) as url, aiohttp.ClientSession() as http:
            yield Door(gateway, url, http)
    finally:
        await gateway.stop()


@contextlib.asynccontextmanager
async def upstream_to(adapter: str, app: ASGIApp) -> AsyncIterator[Upstream]:
    """The application behind one of the two adapters."""
    if adapter == "inprocess":
        yield InProcessUpstream(app)
    else:
        async with serving(app) as url:
            yield HttpUpstream(url)


@contextlib.asynccontextmanager
async def a_following_gateway(
    adapter: str, service: ASGIApp, consent: FedConsent, folder: Path, **more: Any
) -> AsyncIterator[Door]:
    """A gateway before one application as every service, which has read the ledger."""
    async with (
        upstream_to(adapter, service) as upstream,
        a_gateway(folder, everywhere(upstream), consent, **more) as door,
    ):
        await consent.heard()
        yield door


def everywhere(upstream: Upstream) -> dict[str, Upstream]:
    """The same upstream as every service."""
    return dict.fromkeys(("access", "assessment", "remediation", "training", "reporting"), upstream)


def split(app: ASGIApp, path: str, scripted: ASGIApp) -> ASGIApp:
    """An application of which one path is scripted."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (scripted if scope["path"] == path else app)(scope, receive, send)

    return answer
