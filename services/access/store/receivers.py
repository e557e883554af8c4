"""Sends webhooks to addresses that strangers chose: resolved once, checked, and connected to as checked.

NOTE: every address is checked twice: when the name is resolved, and again by the socket that is about to connect. The
second is the guard: it sees the very address, also where a URL names it by number and no name is resolved. The body is
written only once the receiver is connected, within a decision that nobody can take back meanwhile.
"""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import msgspec
from aiohttp import ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from aiohttp.payload import BytesPayload
from opentelemetry import trace
from yarl import URL

from services.access.domain.addresses import is_allowed

TIMEOUT_S: Final = 15.0
CONNECTIONS: Final = 64
_USER_AGENT: Final = "STAR-Webhooks/1"

tracer = trace.get_tracer("star.webhooks")
_names = ThreadPoolExecutor(8, thread_name_prefix="webhook-names")
Lookup = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name, for a port."""

Deciding = Callable[[], AbstractAsyncContextManager[object]]
"""A block in which the body may be written; what it raises on entering stops the sending."""


class NotSent(Exception):
    """The message did not arrive, as far as is known; says why in words that a buyer may read."""


class _Refused(OSError):
    """The address is not public."""


class Answered(msgspec.Struct, frozen=True):
    """What a receiver answered, and for how long it wants to be left alone."""

    status: int
    pause: timedelta | None = None


class Receivers:
    """The receivers of webhooks."""

    def __init__(
        self, *, lookup: Lookup | None = None, allows_loopback: bool = False, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._resolver = _Resolver(lookup or _looked_up, allows_loopback=allows_loopback)
        self._allows_loopback = allows_loopback
        self._timeout = ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of every connection; the next sending opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, url: str, headers: Mapping[str, str], body: bytes, deciding: Deciding) -> Answered:
        """Send one message, the body within ``deciding``; raises ``NotSent``, and what ``deciding`` raises."""
        target = URL(url)
        with tracer.start_as_current_span(
            "POST webhook",
            kind=trace.SpanKind.CLIENT,
            attributes={"http.request.method": "POST", "server.address": target.host or ""},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            decided = _Decided(body, deciding)
            try:
                answered = await self._exchange(target, headers, decided)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                span.set_status(trace.StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                if decided.refusal is not None:
                    raise decided.refusal from None
                raise NotSent(_reason(error)) from None
            span.set_attribute("http.response.status_code", answered.status)
            return answered

    async def _exchange(self, target: URL, headers: Mapping[str, str], body: BytesPayload) -> Answered:
        """Post and read the head of the answer; its body is nobody's business, and the connection is closed."""
        if self._session is None:
            self._session = self._opened()
        sent = {**headers, "content-type": "application/json", "user-agent": _USER_AGENT}
        response = await self._session.post(
            target, data=body, headers=sent, allow_redirects=False, timeout=self._timeout
        )
        try:
            return Answered(response.status, _pause(response.headers.get("retry-after")))
        finally:
            response.close()

    def _opened(self) -> aiohttp.ClientSession:
        connector = TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            limit=CONNECTIONS,
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )

    def _socket(self, found: "aiohttp.AddrInfoType") -> socket.socket:
        """A socket for exactly this address; raises ``OSError`` for one that is not allowed."""
        family, kind, protocol, _, address = found
        if not is_allowed(str(address[0]), allows_loopback=self._allows_loopback):
            raise _Refused("not a public address")
        return socket.socket(family=family, type=kind, proto=protocol)


class _Decided(BytesPayload):
    """A body that is written within a decision."""

    def __init__(self, body: bytes, deciding: Deciding) -> None:
        super().__init__(body, content_type="application/json")
        self._deciding = deciding
        self.refusal: Exception | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it if the decision says so."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it if the decision says so; raises what the decision raises."""
        is_decided = False
        try:
            async with self._deciding():
                is_decided = True
                await super().write_with_length(writer, content_length)
        except Exception as error:
            self.refusal = None if is_decided else error
            raise


class _Resolver(AbstractResolver):
    """Resolves a name, and refuses it when any of its addresses is not public."""

    def __init__(self, lookup: Lookup, *, allows_loopback: bool) -> None:
        self._lookup = lookup
        self._allows_loopback = allows_loopback

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - the port's own signature
    ) -> list[ResolveResult]:
        """The addresses of a name; raises ``OSError``."""
        addresses = await self._lookup(host, port)
        if not all(is_allowed(address, allows_loopback=self._allows_loopback) for address in addresses):
            raise _Refused("not a public address")
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is kept."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


async def _looked_up(host: str, port: int) -> list[str]:
    """Ask the name servers in threads of their own: those of a buyer may let everybody wait."""
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_names, ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _pause(retry_after: str | None) -> timedelta | None:
    """How long a ``Retry-After`` (seconds or a date) asks to wait; ``None`` for what cannot be read."""
    if retry_after is None:
        return None
    try:
        if retry_after.isdecimal() and retry_after.isascii():
            return timedelta(seconds=int(retry_after[:9]))
        return max(timedelta(0), parsedate_to_datetime(retry_after) - datetime.now(UTC))
    except (ValueError, TypeError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    """Why a message did not arrive, without what the receiver said and without any address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _Refused):
            return "its name does not lead to a public address"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    return "the connection broke"
