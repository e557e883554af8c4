"""How the gateway talks to a service: one exchange, streamed both ways. Over HTTP here, in process in ``inprocess``."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import aiohttp
import msgspec
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from yarl import URL

from contracts.errors import Refusal
from services.runtime.telemetry import traceparent

_tracer = trace.get_tracer("star.gateway")

POOL = 200
IDLE_S = 3.0
"""Connections are given up before uvicorn does (5 s), so that a request seldom meets a closing one."""

Headers = tuple[tuple[bytes, bytes], ...]


class UpstreamDown(Refusal):
    """The service did not answer; whether it acted is unknown."""

    status = 503
    code = "service_not_available"


class UpstreamNotReached(UpstreamDown):
    """The service certainly did nothing: it never heard of the request, or did not believe who asked."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a service. ``target`` is the path as it goes over the wire, ``route`` its template for the span."""

    method: str
    target: str
    query: str = ""
    headers: Headers = ()
    body: AsyncIterator[bytes] | bytes | None = None
    route: str = ""


class Incoming(msgspec.Struct, frozen=True):
    """A service's answer; reading ``chunks`` may raise ``UpstreamDown``."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]


class Upstream(Protocol):
    """One service."""

    async def start(self) -> None:
        """Make ready to exchange."""

    async def stop(self) -> None:
        """Let go of every resource."""

    def exchange(self, request: Outgoing) -> AbstractAsyncContextManager[Incoming]:
        """Send a request once and yield the answer; leaving early cancels both. Raises ``UpstreamDown``."""


async def check(upstream: Upstream) -> None:
    """Return when the service says that it is ready."""
    async with upstream.exchange(Outgoing(method="GET", target="/health/ready")) as answer:
        if answer.status != 200:
            raise UpstreamDown(f"The service answered {answer.status}.")


@contextlib.contextmanager
def client_span(request: Outgoing) -> Iterator[Span]:
    """The CLIENT span of an exchange."""
    attributes = {"http.request.method": request.method, "http.route": request.route}
    name = f"{request.method} {request.route}".strip()
    with _tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as span:
        yield span


class HttpUpstream:
    """A service in another process."""

    def __init__(self, url: str, *, read_timeout_s: float = 60.0) -> None:
        """``read_timeout_s`` is the longest silence; it must be longer than a lease, for which a revocation waits."""
        self._url = url.rstrip("/")
        self._read_timeout_s = read_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """See ``Upstream``: no connection is opened before the first request; safe to repeat."""
        if self._session is not None:
            return
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=POOL, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=5, sock_connect=2, sock_read=self._read_timeout_s),
            skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
        )

    async def stop(self) -> None:
        """See ``Upstream``."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def exchange(self, request: Outgoing) -> AsyncIterator[Incoming]:
        """See ``Upstream``."""
        if self._session is None:
            raise UpstreamDown("The gateway is not running.")
        address = f"{self._url}{request.target}" + (f"?{request.query}" if request.query else "")
        with client_span(request) as span:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
            try:
                # aiohttp repeats a request that met a closing connection, unless it is a POST or its body has begun.
                response = await self._session.request(
                    request.method,
                    URL(address, encoded=True),
                    headers=[*headers, ("traceparent", traceparent())],
                    data=request.body,
                    allow_redirects=False,
                )
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                span.set_status(StatusCode.ERROR)
                raise UpstreamNotReached("A service does not answer; try again in a moment.") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                span.set_status(StatusCode.ERROR)
                raise UpstreamDown("A service does not answer; try again in a moment.") from error
            try:
                span.set_attribute("http.response.status_code", response.status)
                raw = tuple((name.lower(), value) for name, value in response.raw_headers)
                yield Incoming(response.status, raw, _chunks(response))
            finally:
                response.release() if response.content.at_eof() else response.close()


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UpstreamDown("A service stopped in the middle of its answer.") from error
