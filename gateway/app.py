"""The wiring of the gateway: settings and upstreams in, an ASGI application out; and which request goes where."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Message, Receive, Scope, Send
from opentelemetry import trace

from contracts.errors import NotFound, Refusal
from gateway.answers import Answer, RefusedWith, in_scim, problem, send_answer
from gateway.body import Body, CallerLeft
from gateway.call import Call
from gateway.claims import Claims
from gateway.consent import AccessFeed, ConsentSource, Follower
from gateway.dev_issuer import DevIssuer, DevUser
from gateway.doors import Doors
from gateway.dpop import NotProven
from gateway.epochs import Epochs
from gateway.keys import HttpFetch
from gateway.limits import Limits
from gateway.oidc import Oidc
from gateway.portfolio import ROUTE, Portfolio
from gateway.proxy import Proxy
from gateway.reading import Reading
from gateway.recording import AccessReads, ReadLog, ReadSink
from gateway.repetition import KEY, Repetitions
from gateway.replica import Replica, Withdrawn
from gateway.routes import SCIM, Route, Routes
from gateway.sampling import drawn
from gateway.threshold import Threshold
from gateway.upstream import Upstream, UpstreamDown
from services.runtime.identity import NotAuthenticated, Signer
from services.runtime.settings import InvalidSettings, Settings
from services.runtime.tracing import QUIET, traced

logger = logging.getLogger(__name__)

BEGINS_IN_S = 90.0
"""For so long a caller waits for the beginning of an answer: longer than a service may be silent, and than a lease."""

DOCUMENT = Path(__file__).parents[1] / "contracts" / "openapi.json"


class Gateway:
    """The gateway of a country. Nothing is connected before ``start``; ``app`` is its ASGI application."""

    def __init__(
        self,
        *,
        upstreams: Mapping[str, Upstream],
        identity: Oidc,
        follower: Follower,
        reads: ReadLog,
        repetitions: Repetitions,
        application: "Application",
        grace_s: float,
    ) -> None:
        self.app = application
        self._upstreams = upstreams
        self._identity = identity
        self._follower = follower
        self._reads = reads
        self._repetitions = repetitions
        self._grace_s = grace_s

    async def start(self) -> None:
        """Connect to the services and begin to follow the consent ledger."""
        for upstream in self._upstreams.values():
            await upstream.start()
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following and let go of every connection."""
        await self._repetitions.stop(within_s=self._grace_s)
        await self._follower.stop()
        await self._reads.stop()
        await self._identity.stop()
        for upstream in self._upstreams.values():
            await upstream.stop()


def make_gateway(
    settings: Settings,
    upstreams: Mapping[str, Upstream],
    consent_source: ConsentSource | None = None,
    *,
    read_sink: ReadSink | None = None,
    identity: Oidc | None = None,
    dev_users: Sequence[DevUser] | None = None,
    document: Mapping[str, Any] | None = None,
) -> Gateway:
    """Wire the gateway of a country.

    ``upstreams`` are the services by name; consent is followed, and reads are put on record, at
    ``upstreams["access"]`` unless a source and a sink are given.
    People are known by ``identity``, or in an embedded run by the development issuer with ``dev_users``.
    ``document`` is the public OpenAPI document (by default the committed one): what it does not list is not passed on.
    Raises ``InvalidSettings``.
    """
    if not settings.signing_key:
        raise InvalidSettings("STAR_SIGNING_KEY is needed by the gateway")
    issuer = DevIssuer(settings, dev_users) if dev_users is not None else None
    if (identity is None) == (issuer is None):
        raise InvalidSettings("the gateway needs either STAR_OIDC_ISSUER or the development issuer")
    known = identity or Oidc.of(settings, issuer.issuer if issuer else "", issuer or HttpFetch())
    public = document if document is not None else msgspec.json.decode(DOCUMENT.read_bytes())
    signer, zone = Signer(settings.signing_key), ZoneInfo(settings.time_zone)
    replica = Replica(today=lambda: datetime.now(zone).date())
    source = consent_source or AccessFeed(upstreams["access"], signer, settings)
    follower = Follower(source, replica, gateway_id=settings.gateway_id, lease_s=settings.lease_s)
    doors = Doors(settings.country, public, upstreams, follower, known, issuer)
    reads = ReadLog(read_sink or AccessReads(upstreams["access"], signer, settings))
    return _composed(
        settings, upstreams, replica=replica, follower=follower, reads=reads, identity=known, doors=doors, public=public
    )


def _composed(
    settings: Settings,
    upstreams: Mapping[str, Upstream],
    *,
    replica: Replica,
    follower: Follower,
    reads: ReadLog,
    identity: Oidc,
    doors: Doors,
    public: Mapping[str, Any],
) -> Gateway:
    """Put together what answers requests."""
    signer, reading = Signer(settings.signing_key), Reading(reads, replica)
    proxy = Proxy(
        upstreams,
        identity=identity,
        signer=signer,
        replica=replica,
        epochs=Epochs(replica, lease_s=settings.lease_s),
        limits=Limits(settings),
        reading=reading,
    )
    repetitions = Repetitions(proxy, Claims(upstreams["access"], signer, settings))
    application = Application(
        doors,
        Routes(public),
        proxy,
        threshold=Threshold(settings),
        repetitions=repetitions,
        portfolio=Portfolio(proxy, reading, replica),
        trace_ratio=settings.trace_ratio,
    )
    return Gateway(
        upstreams=upstreams,
        identity=identity,
        follower=follower,
        reads=reads,
        repetitions=repetitions,
        application=application,
        grace_s=settings.grace_s,
    )


class Application:
    """The ASGI application: the gateway's own doors, the public API, and 404 for everything else."""

    def __init__(
        self,
        doors: Doors,
        routes: Routes,
        proxy: Proxy,
        *,
        threshold: Threshold,
        repetitions: Repetitions,
        portfolio: Portfolio,
        trace_ratio: float,
    ) -> None:
        self._trace_ratio = trace_ratio
        self._threshold = threshold
        self._doors = doors
        self._routes = routes
        self._proxy = proxy
        self._repetitions = repetitions
        self._portfolio = portfolio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request inside a span that continues the caller's ``traceparent``."""
        if scope["type"] == ScopeType.WEBSOCKET:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        elif scope["path"].startswith(QUIET):
            await self._serve(scope, receive, send)
        else:
            await traced(self._serve, drawn(scope, self._trace_ratio), receive, send)  # type: ignore[arg-type]

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer in any case, unless the answer has begun: then an abrupt end says that it is not whole."""
        call = Call(scope, Body(receive))

        async def noting(message: Message) -> None:
            if not call.is_answered and message["type"] == "http.response.start":
                call.is_answered = True
                message["headers"] = [*message["headers"], *call.added]
            await send(message)

        try:
            await self._answer(call, noting)
        except CallerLeft:
            return
        except Exception as error:  # noqa: BLE001 - the door answers whatever happens behind it
            answer = in_scim(_answer_to(error)) if call.path.startswith(SCIM) else _answer_to(error)
            if not call.is_answered:
                await send_answer(noting, answer, is_head=call.method == "HEAD")
            elif not isinstance(error, Withdrawn):
                logger.warning("an answer was broken off", extra={"reason": type(error).__name__})

    async def _answer(self, call: Call, send: Send) -> None:
        if (answer := self._threshold.crossed(call)) is not None:
            await send_answer(send, answer)
            return
        if (door := self._doors.find(call.path)) is not None:
            await send_answer(send, await door(call.method, call.body), is_head=call.method == "HEAD")
            return
        route = ROUTE if call.path == ROUTE.template else self._routes.find(call.path)
        if route is None:
            raise NotFound("There is nothing at this address.")
        call.added += route.retiring.get(call.method, ())
        trace.get_current_span().update_name(f"{call.method} {route.template}")
        trace.get_current_span().set_attribute("http.route", route.template)
        if call.method not in route.methods:
            allowed = ", ".join(sorted(route.methods)).encode()
            answer = problem(405, "method_not_allowed", "This address does not know the method.")
            await send_answer(send, msgspec.structs.replace(answer, headers=((b"allow", allowed),)))
            return
        await self._pass_on(call, route, send)

    async def _pass_on(self, call: Call, route: Route, send: Send) -> None:
        """Pass the request on until it is answered or the caller leaves, which cancels the work for it.

        Raises ``UpstreamDown`` when the answer has not begun in time; an answer that has begun may take its time.
        """
        work = asyncio.ensure_future(self._server(call, route).serve(call, route, send))
        gone = asyncio.ensure_future(call.body.caller_left())
        try:
            timeout: float | None = BEGINS_IN_S
            while not (await asyncio.wait({work, gone}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED))[0]:
                if not call.is_answered and call.body.is_over:
                    raise UpstreamDown("A service takes too long; whether it acted is not known.")
                timeout = None if call.is_answered else BEGINS_IN_S
            if work.done():
                work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.wait({work, gone})

    def _server(self, call: Call, route: Route) -> Portfolio | Proxy | Repetitions:
        """Who answers."""
        if route is ROUTE:
            return self._portfolio
        return self._repetitions if call.method == "POST" and KEY in call.asked else self._proxy


def _answer_to(error: Exception) -> Answer:
    """The problem that tells of a failure."""
    if isinstance(error, NotProven):
        return problem(401, error.code, str(error), error.headers)
    if isinstance(error, NotAuthenticated):
        return problem(401, "not_authenticated", str(error))
    if isinstance(error, RefusedWith):
        return problem(error.status, error.code, str(error), error.headers)
    if isinstance(error, Refusal):
        return problem(error.status, error.code, str(error))
    logger.error("unhandled", exc_info=error)
    trace.get_current_span().record_exception(error)
    return problem(500, "unexpected", "Something went wrong on our side; the trace id finds it.")
