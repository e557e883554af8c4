"""The form in which a service's answer leaves: its validator, JSON or CSV, the link to the next page, compression."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec
from litestar.datastructures.headers import Accept

from contracts.errors import Malformed, Refusal
from gateway.answers import ANSWERED, TO_DIRECTORIES, guarded, kept
from gateway.call import Call
from gateway.columns import CSV, JSON, PageEnd, table
from gateway.routes import SCIM, Route
from gateway.squeezing import SMALLEST_BYTES, is_text, prefers_gzip, squeezed, squeezing
from gateway.upstream import Headers

FORMAT: Final = "format"
CURSOR: Final = "cursor"
VARY: Final = (b"vary", b"accept, accept-encoding, accept-language, authorization, star-party")
"""What an answer hangs on besides its address; a kept copy is asked about again in any case."""

AT_ONCE_BYTES: Final = 128 * 1024
"""What takes longer to turn into another form is turned in a thread, so that other requests get their turn."""

_NO_URI: Final = str.maketrans({"<": "%3C", ">": "%3E", '"': "%22"})
_OF_THE_BODY: Final = frozenset({b"content-length", b"content-encoding", b"content-type", b"accept-ranges"})


class PageTooLarge(Refusal):
    """A page holds more bytes than are checked or put into another form at once."""

    status = 400
    code = "page_too_large"


class Opened(msgspec.Struct, frozen=True):
    """A service's answer with its beginning in memory; ``is_whole`` says whether that is all, else ``rest`` follows."""

    status: int
    headers: Headers
    head: bytes
    is_whole: bool
    rest: AsyncIterator[bytes]

    @property
    def content_type(self) -> bytes:
        """The media type, empty without one."""
        return next((value for name, value in self.headers if name == b"content-type"), b"")


class Shaped(msgspec.Struct, frozen=True):
    """An answer as it leaves: a whole body, or chunks."""

    status: int
    headers: Headers
    body: bytes = b""
    chunks: AsyncIterator[bytes] | None = None


def is_csv(call: Call, route: Route) -> bool:
    """Whether the caller wants a list as CSV, by ``format`` or else by ``Accept``; raises ``Malformed``."""
    if route.columns is None or not call.is_read:
        return False
    if "format=" in call.query:
        for part in call.query.split("&"):
            name, _, value = part.partition("=")
            if name == FORMAT:
                if value not in {"csv", "json"}:
                    raise Malformed("A list comes as format=json or format=csv.")
                return value == "csv"
    accepted = call.asked.get(b"accept", "")
    try:
        return "csv" in accepted and Accept(accepted).best_match([JSON, "text/csv"]) == "text/csv"
    except (ValueError, OverflowError):
        raise Malformed("The Accept header cannot be read.") from None


async def shaped(call: Call, route: Route, answer: Opened, *, as_csv: bool) -> Shaped:
    """Give an answer its form; raises ``PageTooLarge`` for a table that is not in memory."""
    names = TO_DIRECTORIES if route.template.startswith(SCIM) else ANSWERED
    headers, body = list(kept(answer.headers, names)), answer.head
    has_form = call.is_read and answer.status == 200
    if has_form and route.columns is not None:
        if not answer.is_whole:
            if as_csv:
                raise PageTooLarge("The page is too large for a table; ask for fewer items with limit.")
        else:
            headers += _links(call, msgspec.json.decode(body, type=PageEnd).next_cursor)
            if as_csv:
                body = await _apart(body, partial(table, route.columns, body))
                headers = [pair for pair in headers if pair[0] not in _OF_THE_BODY | {b"etag"}]
                headers += [(b"content-type", CSV), (b"content-length", str(len(body)).encode())]
    tag = _tag(headers, body if has_form and answer.is_whole and (as_csv or _is_json(answer)) else None)
    if tag:
        headers = [*(pair for pair in headers if pair[0] != b"etag"), (b"etag", tag)]
        if has_form and _is_known(call, tag):
            gone = [pair for pair in headers if pair[0] not in _OF_THE_BODY]
            return Shaped(304, (*gone, *_habits(has_tag=True)))
    return await _squeezed(call, answer, headers, body)


async def _squeezed(call: Call, answer: Opened, headers: list[tuple[bytes, bytes]], body: bytes) -> Shaped:
    """The answer, compressed if that is wanted and worth it; its validator is then a weak one."""
    names = dict(headers)
    chunks = None if answer.is_whole else _all(body, answer.rest)
    is_small = answer.is_whole and len(body) < SMALLEST_BYTES
    if (
        not is_small
        and answer.status not in {204, 206, 304}
        and b"content-encoding" not in names
        and is_text(names.get(b"content-type", b""))
        and prefers_gzip(call.asked.get(b"accept-encoding"))
    ):
        headers = [pair for pair in headers if pair[0] not in {b"content-length", b"accept-ranges", b"etag"}]
        headers.append((b"content-encoding", b"gzip"))
        if tag := names.get(b"etag"):
            headers.append((b"etag", tag if tag.startswith(b"W/") else b"W/" + tag))
        if chunks is None:
            body = await _apart(body, partial(squeezed, body))
            headers.append((b"content-length", str(len(body)).encode()))
        else:
            chunks = squeezing(chunks)
    habits = _habits(has_tag=b"etag" in names)
    return Shaped(answer.status, (*headers, *habits), body if chunks is None else b"", chunks)


def _habits(*, has_tag: bool) -> Headers:
    """The headers that every answer carries; what has a validator may be kept and asked about again."""
    return (*guarded(caching=b"private, no-cache" if has_tag else b"no-store"), VARY)


def _tag(headers: list[tuple[bytes, bytes]], body: bytes | None) -> bytes:
    """The service's own validator, else one of the body (its SHA-256), else none."""
    own = next((value for name, value in headers if name == b"etag"), b"")
    if own or body is None:
        return own
    return b'"' + base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=") + b'"'


def _is_known(call: Call, tag: bytes) -> bool:
    """Whether the caller has this already (``If-None-Match``, compared weakly as it must be)."""
    known = call.asked.get(b"if-none-match")
    if known is None:
        return False
    wanted = tag.decode("latin-1").removeprefix("W/")
    return known.strip() == "*" or wanted in {each.strip().removeprefix("W/") for each in known.split(",")}


def _is_json(answer: Opened) -> bool:
    return answer.content_type.startswith(b"application/json")


def _links(call: Call, cursor: str | None) -> Headers:
    """The ``Link`` to the next page (RFC 8288), none on the last one."""
    if cursor is None:
        return ()
    query = "&".join([*call.parameters(CURSOR), f"{CURSOR}={quote(cursor, safe='')}"]).translate(_NO_URI)
    return ((b"link", f'<{call.path}?{query}>; rel="next"'.encode()),)


async def _apart(body: bytes, work: Callable[[], bytes]) -> bytes:
    """Do what takes long for a long body in a thread."""
    return work() if len(body) < AT_ONCE_BYTES else await asyncio.to_thread(work)


async def _all(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for chunk in rest:
        yield chunk
