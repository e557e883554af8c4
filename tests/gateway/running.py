"""A gateway on a real socket before a service that the test scripts, over either upstream adapter."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import msgspec
import uvicorn
from litestar.types import ASGIApp, Receive, Scope, Send

from contracts.access import ConsentAnswer, ConsentEntry, EntryKind
from contracts.identity import Role
from contracts.reads import Read, ReadBatch
from contracts.visibility import DoesNotConnect
from contracts.vocabulary import ReportKind
from gateway.app import Gateway, make_gateway
from gateway.dev_issuer import DevUser
from gateway.inprocess import InProcessUpstream
from gateway.upstream import HttpUpstream, Upstream
from services.runtime.settings import Settings
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
    DevUser("nobody", "No role", frozenset()),
)
LEASE_S = 0.6


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


class FedConsent:
    """A consent ledger in the test's hand."""

    def __init__(self) -> None:
        self.entries: list[ConsentEntry] = []
        self._partners: set[str] = set()
        self.is_answering = True
        self.acknowledged = 0
        self.news = asyncio.Event()

    def give(self, grant_id: str, factory_id: str, buyer_id: str = "b1", *kinds: ReportKind) -> None:
        """A grant to a partner: a buyer that is not one yet becomes one first."""
        day = date(2020, 1, 1)
        if buyer_id not in self._partners:
            self._partners.add(buyer_id)
            self._add(EntryKind.ENTITLEMENT_GIVEN, f"partner-{buyer_id}", "", buyer_id, starts_on=day)
        self._add(
            EntryKind.GRANT_GIVEN, grant_id, factory_id, buyer_id, kinds=kinds or tuple(ReportKind), starts_on=day
        )

    def revoke(self, grant_id: str, factory_id: str, buyer_id: str = "b1") -> None:
        self._add(EntryKind.GRANT_REVOKED, grant_id, factory_id, buyer_id)

    def _add(self, kind: EntryKind, grant_id: str, factory_id: str, buyer_id: str, **more: Any) -> None:
        epoch = len(self.entries) + 1
        previous = self.entries[-1].hash if self.entries else "0" * 64
        entry = ConsentEntry(
            epoch=epoch,
            previous_hash=previous,
            hash=f"{epoch:064x}",
            kind=kind,
            grant_id=grant_id,
            factory_id=factory_id,
            buyer_id=buyer_id,
            **more,
        )
        self.entries.append(entry)
        self.news.set()
        self.news = asyncio.Event()

    async def follow(self, gateway: str, *, after: int, entry_hash: str, wait_s: float) -> ConsentAnswer:  # noqa: ARG002
        if not self.is_answering:
            raise ConnectionError("access is down")
        if after and (after > len(self.entries) or self.entries[after - 1].hash != entry_hash):
            raise DoesNotConnect("another ledger")
        self.acknowledged = after
        if len(self.entries) == after:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self.news.wait()
        if not self.is_answering:
            raise ConnectionError("access went down")
        entries = tuple(self.entries[after:])
        return ConsentAnswer(entries=entries, epoch=len(self.entries), lease_s=LEASE_S)


class KeptReads:
    """A read log in the test's hand."""

    def __init__(self) -> None:
        self.batches: list[ReadBatch] = []
        self.failure: Exception | None = None
        self.hold: asyncio.Event | None = None

    @property
    def reads(self) -> list[Read]:
        """What is on record, oldest first."""
        return [read for batch in self.batches for read in batch.reads]

    async def put(self, batch: bytes) -> None:
        if self.hold is not None:
            await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        self.batches.append(msgspec.json.decode(batch, type=ReadBatch))


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port of this machine."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    running = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await running
        listener.close()


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
    folder: Path, upstreams: Mapping[str, Upstream], source: Any = None, **more: Any
) -> AsyncIterator[Door]:
    """A gateway with the development issuer, listening; with a ``source`` of its own it keeps its reads to itself."""
    settings = gateway_settings(folder)
    own = {"read_sink": KeptReads()} if source is not None else {}
    options = {"dev_users": USERS, "document": DOCUMENT, **own, **more}
    gateway = make_gateway(settings, upstreams, source, **options)
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


def everywhere(upstream: Upstream) -> dict[str, Upstream]:
    """The same upstream as every service."""
    return dict.fromkeys(("access", "assessment", "remediation", "training", "reporting"), upstream)
