"""Sends webhooks to addresses that strangers chose: resolved once, checked, and connected to as checked.

NOTE: every address is checked twice: when the name is resolved, and again by the socket that is about to connect. The
second is the guard: it sees the very address, also where a URL names it by number and no name is resolved. The body is
written only once the receiver is connected, within a decision that nobody can take back meanwhile.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import msgspec
from aiohttp import ClientTimeout, TCPConnector
from aiohttp.abc import AbstractStreamWriter, ResolveResult
from aiohttp.payload import BytesPayload
from opentelemetry import trace
from yarl import URL

from services.access.domain.addresses import is_allowed, is_number
from services.access.store.names import Found, Lookup, Names, NotPublic
from services.runtime.unavailable import StoreUnavailable

TIMEOUT_S: Final = 15.0
DECIDING_S: Final = 5.0
"""For so long a receiver that is connected to is kept waiting for the decision; then the message is sent later."""

_USER_AGENT: Final = "STAR-Webhooks/1"

tracer = trace.get_tracer("star.webhooks")
Deciding = Callable[[], AbstractAsyncContextManager[object]]
"""A block in which the body may be written; what it raises on entering stops the sending."""


class NotSent(Exception):
    """The message did not arrive, as far as is known; says why in words that a buyer may read."""


class Answered(msgspec.Struct, frozen=True):
    """What a receiver answered, and for how long it wants to be left alone."""

    status: int
    pause: timedelta | None = None


class Receivers:
    """The receivers of webhooks."""

    def __init__(
        self, *, lookup: Lookup | None = None, allows_loopback: bool = False, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._names = Names(lookup, allows_loopback=allows_loopback, timeout_s=timeout_s)
        self._allows_loopback = allows_loopback
        self._timeout_s = timeout_s

    async def send(
        self, url: str, headers: Mapping[str, str], body: bytes, deciding: Deciding, *, whose: str
    ) -> Answered:
        """Send one message of a buyer, the body within ``deciding``.

        Raises ``NotSent``, what ``deciding`` raises, and ``StoreUnavailable`` when nothing was sent because this
        process was busy: then the receiver is not to blame.
        """
        target = URL(url)
        with tracer.start_as_current_span(
            "POST webhook",
            kind=trace.SpanKind.CLIENT,
            attributes={"http.request.method": "POST", "server.address": target.host or ""},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                answered = await self._exchange(target, headers, body, deciding, await self._found(target, whose))
            except (aiohttp.ClientError, OSError, ValueError) as error:
                span.set_status(trace.StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                raise NotSent(_reason(error)) from None
            span.set_attribute("http.response.status_code", answered.status)
            return answered

    async def _found(self, target: URL, whose: str) -> list[ResolveResult]:
        host = target.host or ""
        if is_number(host):  # nothing is looked up, and the socket checks it
            return []
        return await self._names.look_up(host, target.port or 0, whose=whose)

    async def _exchange(
        self, target: URL, headers: Mapping[str, str], body: bytes, deciding: Deciding, found: list[ResolveResult]
    ) -> Answered:
        """Post and read the head of the answer; its body is nobody's business, and the connection is closed."""
        sent = {**headers, "content-type": "application/json", "user-agent": _USER_AGENT}
        deadline = asyncio.timeout(self._timeout_s)
        decided = _Decided(body, deciding, deadline)
        try:
            async with deadline, self._session(found) as session:
                response = await session.post(target, data=decided, headers=sent, allow_redirects=False)
                response.close()
                return Answered(response.status, _pause(response.headers.get("retry-after")))
        except (aiohttp.ClientError, OSError, ValueError):
            if decided.refusal is not None:
                raise decided.refusal from None
            raise

    def _session(self, found: list[ResolveResult]) -> aiohttp.ClientSession:
        """A session for one message, so that none waits for the connection of another one."""
        connector = TCPConnector(
            resolver=Found(found), use_dns_cache=False, force_close=True, socket_factory=self._socket
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=ClientTimeout(total=None),
        )

    def _socket(self, found: "aiohttp.AddrInfoType") -> socket.socket:
        """A socket for exactly this address; raises ``OSError`` for one that is not allowed."""
        family, kind, protocol, _, address = found
        if not is_allowed(str(address[0]), allows_loopback=self._allows_loopback):
            raise NotPublic("not a public address")
        return socket.socket(family=family, type=kind, proto=protocol)


class _Decided(BytesPayload):
    """A body that is written within a decision; the receiver's time stands still while that is being made."""

    def __init__(self, body: bytes, deciding: Deciding, deadline: asyncio.Timeout) -> None:
        super().__init__(body, content_type="application/json")
        self._deciding = deciding
        self._deadline = deadline
        self.refusal: Exception | None = None

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it if the decision says so."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it if the decision says so; raises what the decision raises."""
        clock = asyncio.get_running_loop().time
        left = (self._deadline.when() or clock()) - clock()
        self._deadline.reschedule(None)
        async with contextlib.AsyncExitStack() as decision:
            try:
                async with asyncio.timeout(DECIDING_S):
                    await decision.enter_async_context(self._deciding())
            except TimeoutError:
                self.refusal = StoreUnavailable("Deciding on a message took too long.")
                raise
            except Exception as error:
                self.refusal = error
                raise
            self._deadline.reschedule(clock() + left)
            await super().write_with_length(writer, content_length)


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
    """Why a message did not arrive, without what the receiver said and without any address.

    What is not public and what does not answer are the same: otherwise a buyer could find out what there is inside.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not valid"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError) or not isinstance(error, aiohttp.ClientError):
        return "it cannot be reached at a public address"
    return "the connection broke"
