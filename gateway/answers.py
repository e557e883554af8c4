"""Answers of the gateway's own, and the headers that pass in either direction."""

from collections.abc import Iterable
from typing import Final

import msgspec
from litestar.types import Send

from contracts.errors import Problem, Refusal
from gateway.upstream import Headers
from services.runtime.http import PROBLEM, problem_of

API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
RETRY_AFTER_S: Final = b"2"
_SCIM_ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"

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


class RefusedWith(Refusal):
    """A refusal whose answer carries headers of its own."""

    def __init__(self, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.headers = headers


TO_DIRECTORIES: Final = ANSWERED | {b"location"}
"""SCIM says where a new resource is; elsewhere nobody is sent anywhere."""


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
    """The answer that says no; a 503 says when to come back, a 401 what is needed, unless told."""
    content = problem_of(status, code, detail)
    usual = {503: (b"retry-after", RETRY_AFTER_S), 401: (b"www-authenticate", b'Bearer realm="star"')}.get(status)
    extra = (usual,) if usual is not None and usual[0] not in dict(headers) else ()
    return Answer(status, msgspec.json.encode(content), PROBLEM.encode(), (*headers, *extra))


def in_scim(answer: Answer) -> Answer:
    """A problem in the shape in which a directory expects it (RFC 7644, section 3.12)."""
    told = msgspec.json.decode(answer.body, type=Problem)
    content = {"schemas": [_SCIM_ERROR], "status": str(told.status), "detail": told.detail}
    return msgspec.structs.replace(answer, body=msgspec.json.encode(content), content_type=b"application/scim+json")


def json_answer(content: object, *, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, msgspec.json.encode(content))


async def send_answer(send: Send, answer: Answer, *, is_head: bool = False) -> None:
    """Send a short answer with the headers that every answer carries, unless it brings its own."""
    own = {name for name, _ in answer.headers}
    headers = [*answer.headers, *(pair for pair in guarded() if pair[0] not in own)]
    if answer.status != 204:
        headers += [(b"content-type", answer.content_type), (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else answer.body, "more_body": False})
