"""Answers of the gateway's own, and the headers that pass in either direction."""

from collections.abc import Iterable
from typing import Final

import msgspec
from litestar.types import Send

from contracts.errors import Problem
from gateway.upstream import Headers
from services.runtime.http import PROBLEM, TITLES
from services.runtime.telemetry import current_trace_id

API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
RETRY_AFTER_S: Final = b"2"

ASKED: Final = frozenset(
    {
        b"accept",
        b"accept-language",
        b"content-length",
        b"content-type",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"range",
    }
)
"""The request headers that a service gets from a caller. Who is asking, and from where, it hears from the gateway."""

ANSWERED: Final = frozenset(
    {
        b"accept-ranges",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-range",
        b"content-type",
        b"etag",
        b"last-modified",
        b"retry-after",
    }
)
"""The response headers that a caller gets from a service."""


class Answer(msgspec.Struct, frozen=True):
    """A short answer that is whole in memory."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: Headers = ()


def kept(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> Headers:
    """The headers with these (lower case) names."""
    return tuple((name.lower(), value) for name, value in headers if name.lower() in names)


def guarded(*, policy: bytes = API_POLICY, caching: bytes = b"no-store") -> Headers:
    """The headers that every answer carries."""
    return (
        (b"cache-control", caching),
        (b"content-security-policy", policy),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    )


def problem(status: int, code: str, detail: str, headers: Headers = ()) -> Answer:
    """The one shape in which STAR says no; a 503 says when to come back, a 401 what is needed."""
    title = TITLES.get(status, "Unexpected error" if status >= 500 else "Refused")
    content = Problem(title=title, status=status, detail=detail, code=code, trace_id=current_trace_id())
    extra = {503: ((b"retry-after", RETRY_AFTER_S),), 401: ((b"www-authenticate", b'Bearer realm="star"'),)}
    return Answer(status, msgspec.json.encode(content), PROBLEM.encode(), (*headers, *extra.get(status, ())))


def json_answer(content: object, *, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, msgspec.json.encode(content))


async def send_answer(send: Send, answer: Answer, *, is_head: bool = False) -> None:
    """Send a short answer with the headers that every answer carries, unless it brings its own."""
    own = {name for name, _ in answer.headers}
    headers = [*answer.headers, *(pair for pair in guarded() if pair[0] not in own)]
    headers += [(b"content-type", answer.content_type), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else answer.body, "more_body": False})
