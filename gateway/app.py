"""The wiring of the gateway: settings and upstreams in, an ASGI application out; and which request goes where."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Message, Receive, Scope, Send
from opentelemetry import trace

from contracts.errors import NotFound, Refusal
from gateway.answers import Answer, problem, send_answer
from gateway.body import Body, CallerLeft
from gateway.consent import AccessFeed, ConsentSource, Follower
from gateway.dev_issuer import DevIssuer, DevUser
from gateway.doors import Doors
from gateway.keys import HttpFetch
from gateway.oidc import Oidc
from gateway.proxy import Proxy
from gateway.replica import Replica, Withdrawn
from gateway.routes import Route, Routes
from gateway.upstream import Upstream
from services.runtime.identity import NotAuthenticated, Signer
from services.runtime.settings import InvalidSettings, Settings
from services.runtime.tracing import QUIET, traced

logger = logging.getLogger(__name__)

DOCUMENT = Path(__file__).parents[1] / "contracts" / "openapi.json"


class Gateway:
    """The gateway of a country. Nothing is connected before ``start``; ``app`` is its ASGI application."""

    def __init__(
        self,
        *,
        upstreams: Mapping[str, Upstream],
        identity: Oidc,
        follower: Follower,
        application: "Application",
    ) -> None:
        self.app = application
        self._upstreams = upstreams
        self._identity = identity
        self._follower = follower

    async def start(self) -> None:
        """Connect to the services and begin to follow the consent ledger."""
        for upstream in self._upstreams.values():
            await upstream.start()
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following and let go of every connection."""
        await self._follower.stop()
        await self._identity.stop()
        for upstream in self._upstreams.values():
            await upstream.stop()


def make_gateway(
    settings: Settings,
    upstreams: Mapping[str, Upstream],
    consent_source: ConsentSource | None = None,
    *,
    identity: Oidc | None = None,
    dev_users: Sequence[DevUser] | None = None,
    document: Mapping[str, Any] | None = None,
) -> Gateway:
    """Wire the gateway of a country.

    ``upstreams`` are the services by name; consent is followed at ``upstreams["access"]`` unless a source is given.
    People are known by ``identity``, or in an embedded run by the development issuer with ``dev_users``.
    ``document`` is the public OpenAPI document (by default the committed one): what it does not list is not passed on.
    Raises ``InvalidSettings``.
    """
    if not settings.signing_key:
        raise InvalidSettings("STAR_SIGNING_KEY is needed by the gateway")
    issuer = DevIssuer(settings, dev_users) if dev_users is not None else None
    if (identity is None) == (issuer is None):
        raise InvalidSettings("the gateway needs either STAR_OIDC_ISSUER or the development issuer")
    known = identity or Oidc(
        issuer.issuer if issuer else "",
        settings.oidc_audience,
        country=settings.country,
        fetch=issuer or HttpFetch(),
    )
    public = document if document is not None else msgspec.json.decode(DOCUMENT.read_bytes())
    signer, zone = Signer(settings.signing_key), ZoneInfo(settings.time_zone)
    replica = Replica(today=lambda: datetime.now(UTC).astimezone(zone).date())
    source = consent_source or AccessFeed(upstreams["access"], signer, settings)
    follower = Follower(source, replica, gateway_id=settings.gateway_id, lease_s=settings.lease_s)
    doors = Doors(settings.country, public, upstreams, follower, known, issuer)
    proxy = Proxy(upstreams, identity=known, signer=signer, replica=replica)
    return Gateway(
        upstreams=upstreams,
        identity=known,
        follower=follower,
        application=Application(doors, Routes(public), proxy),
    )


class Application:
    """The ASGI application: the gateway's own doors, the public API, and 404 for everything else."""

    def __init__(self, doors: Doors, routes: Routes, proxy: Proxy) -> None:
        self._doors = doors
        self._routes = routes
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request inside a span that continues the caller's ``traceparent``."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        elif scope["path"].startswith(QUIET):
            await self._serve(scope, receive, send)
        else:
            await traced(self._serve, scope, receive, send)  # type: ignore[arg-type]

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer in any case, unless the answer has begun: then an abrupt end says that it is not whole."""
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except CallerLeft:
            return
        except Exception as error:  # noqa: BLE001 - the door answers whatever happens behind it
            answer = _answer_to(error)
            if not has_begun:
                await send_answer(send, answer)
            elif not isinstance(error, Withdrawn):
                logger.warning("an answer was broken off", extra={"reason": type(error).__name__})

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        body = Body(receive)
        if (door := self._doors.find(path)) is not None:
            await send_answer(send, await door(scope["method"], body), is_head=scope["method"] == "HEAD")
            return
        route = self._routes.find(path)
        if route is None:
            raise NotFound("There is nothing at this address.")
        trace.get_current_span().update_name(f"{scope['method']} {route.template}")
        trace.get_current_span().set_attribute("http.route", route.template)
        if scope["method"] not in route.methods:
            allowed = ", ".join(sorted(route.methods)).encode()
            answer = problem(405, "method_not_allowed", "This address does not know the method.")
            await send_answer(send, msgspec.structs.replace(answer, headers=((b"allow", allowed),)))
            return
        await self._pass_on(scope, route, path, body, send)

    async def _pass_on(self, scope: HTTPScope, route: Route, path: str, body: Body, send: Send) -> None:
        """Pass the request on until it is answered or the caller leaves, which cancels the work for it."""
        work = asyncio.ensure_future(self._proxy.serve(scope, route, path, body, send))
        gone = asyncio.ensure_future(body.caller_left())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.wait({work, gone})


def _answer_to(error: Exception) -> Answer:
    """The problem that tells of a failure."""
    if isinstance(error, NotAuthenticated):
        return problem(401, "not_authenticated", str(error))
    if isinstance(error, Refusal):
        return problem(error.status, error.code, str(error))
    logger.error("unhandled", exc_info=error)
    trace.get_current_span().record_exception(error)
    return problem(500, "unexpected", "Something went wrong on our side; the trace id finds it.")
