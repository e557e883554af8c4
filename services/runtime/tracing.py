"""The ASGI wrapper that opens the SERVER span of a request and tells the caller its trace id."""

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from services.runtime.telemetry import context_of

tracer = trace.get_tracer("star.http")
QUIET = ("/health/",)


class TracedApp:
    """An ASGI application with a span per request; the Litestar application is at ``litestar``."""

    def __init__(self, litestar: Litestar) -> None:
        self.litestar = litestar

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request inside a span that continues the caller's ``traceparent``."""
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(QUIET):
            await self.litestar(scope, receive, send)
        else:
            await traced(self.litestar, scope, receive, send)


async def traced(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """Serve one request of any ASGI application inside a SERVER span and name its trace in the answer."""
    headers = {name: value for name, value in scope["headers"] if name == b"traceparent"}
    parent = context_of(headers.get(b"traceparent", b"").decode("latin-1"))
    with tracer.start_as_current_span(
        scope["method"],
        context=parent,
        kind=SpanKind.SERVER,
        attributes={"http.request.method": scope["method"]},
    ) as span:
        trace_id = format(span.get_span_context().trace_id, "032x").encode()

        async def traced_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))
                headers = [pair for pair in message["headers"] if pair[0] != b"trace-id"]
                message["headers"] = [*headers, (b"trace-id", trace_id)]
            await send(message)

        await app(scope, receive, traced_send)
