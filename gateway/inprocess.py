"""A service in the same process: its ASGI application is called, nothing is buffered, no socket is opened."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from litestar.types import ASGIApp, HTTPDisconnectEvent, HTTPRequestEvent, Message

from gateway.upstream import Incoming, Outgoing, UpstreamDown, client_span
from services.runtime.telemetry import traceparent

logger = logging.getLogger(__name__)

FINISH_S = 5.0
"""How long an application may go on after its answer is complete."""


class InProcessUpstream:
    """A service of this process."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def start(self) -> None:
        """See ``Upstream``: there is nothing to do."""

    async def stop(self) -> None:
        """See ``Upstream``: there is nothing to do."""

    @contextlib.asynccontextmanager
    async def exchange(self, request: Outgoing) -> AsyncIterator[Incoming]:
        """See ``Upstream``."""
        with client_span(request) as span:
            call = _Call(self._app, request)
            try:
                answer = await call.answer()
                span.set_attribute("http.response.status_code", answer.status)
                yield answer
            finally:
                await call.end()


class _Call:
    """One request to the application; it waits whenever the gateway has not taken what it sent."""

    def __init__(self, app: ASGIApp, request: Outgoing) -> None:
        self._request = request
        self._messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        body = request.body
        self._body = _whole(body or b"") if body is None or isinstance(body, bytes) else body
        self._body_is_over = False
        self._is_complete = False
        self._task: asyncio.Task[None] = asyncio.ensure_future(app(self._scope(), self._receive, self._messages.put))  # type: ignore[arg-type]

    async def answer(self) -> Incoming:
        """The start of the answer."""
        message = await self._next()
        if message["type"] != "http.response.start":
            raise UpstreamDown("A service gave no answer.")
        headers = tuple((name.lower(), value) for name, value in message["headers"])
        return Incoming(message["status"], headers, self._chunks())

    async def end(self) -> None:
        """Let the application finish what is answered; cancel it when nobody waits for its answer."""
        if self._is_complete:
            await asyncio.wait({self._task}, timeout=FINISH_S)
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled() and (error := self._task.exception()):
            logger.error("a service failed after its answer", exc_info=error)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while not self._is_complete:
            message = await self._next()
            if message["type"] == "http.response.body":
                self._is_complete = not message.get("more_body", False)
                if body := message.get("body", b""):
                    yield body

    async def _next(self) -> Message:
        """The application's next message; raises ``UpstreamDown`` when it ended without one."""
        with contextlib.suppress(asyncio.QueueEmpty):
            return self._messages.get_nowait()
        message = asyncio.ensure_future(self._messages.get())
        try:
            await asyncio.wait({message, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                return message.result()
        finally:
            message.cancel()
        with contextlib.suppress(asyncio.QueueEmpty):
            return self._messages.get_nowait()
        raise UpstreamDown("A service ended without a whole answer.")

    async def _receive(self) -> HTTPRequestEvent | HTTPDisconnectEvent:
        if self._body_is_over:
            await asyncio.Event().wait()  # for ever: the gateway cancels the call when the client leaves
        try:
            body = await anext(self._body)
        except StopAsyncIteration:
            self._body_is_over, body = True, b""
        except Exception:  # noqa: BLE001 - why the body broke off is between the caller and the gateway
            self._body_is_over = True
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": not self._body_is_over}

    def _scope(self) -> dict[str, object]:
        request = self._request
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.target,
            "raw_path": request.target.encode(),
            "query_string": request.query.encode(),
            "root_path": "",
            "headers": [(b"host", b"star.internal"), *request.headers, (b"traceparent", traceparent().encode())],
            "client": ("127.0.0.1", 0),
            "server": ("star.internal", 80),
            "state": {},
            "extensions": {},
        }


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
