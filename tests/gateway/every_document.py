"""Services with a document of every factory, cycle and kind, shown to whoever the signed principal says may see it."""

import json
from collections.abc import Sequence
from typing import Final

from litestar.types import Receive, Scope, Send

from contracts.answers import about
from contracts.identity import Principal
from contracts.vocabulary import ReportKind
from services.runtime.identity import Verifier, verify_key_of
from tests.support.services import SIGNING_KEY

PREFIX: Final = "/api/v1"
JSON: Final = (b"content-type", b"application/json")
PROBLEM: Final = (b"content-type", b"application/problem+json")
Place = tuple[str, int]
"""A factory and a cycle."""


class EveryDocument:
    """An ASGI application in place of reporting and remediation: reports ``r-f1-2``, plans ``p-f1-2``, progress."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._verifier = Verifier(verify_key_of(SIGNING_KEY))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer a list, a document, its progress or its file."""
        assert scope["type"] == "http"  # type: ignore[comparison-overlap]
        headers = dict(scope["headers"])
        noun, _, rest = scope["path"].removeprefix(f"{PREFIX}/").partition("/")
        if noun not in {"reports", "plans", "changes"}:
            await _answer(send, 200, [JSON], b"{}")
            return
        principal = self._verifier.principal(headers[b"authorization"].decode())
        if noun == "changes":
            await _answer(send, 200, [JSON], self._changes(principal))
            return
        if not rest:
            await _answer(send, 200, [JSON], self._list(noun, principal))
            return
        document_id, _, part = rest.partition("/")
        _, factory_id, cycle = document_id.split("-")
        kinds = _kinds(noun, part, principal, (factory_id, int(cycle)))
        if not principal.scope().covers(factory_id, kinds[0], int(cycle)):
            await _answer(send, 404, [PROBLEM], b'{"code":"not_found"}')
            return
        marks = about(factory_id, kinds, int(cycle), document_id)
        marked = [JSON, *((name.encode(), value.encode()) for name, value in marks.items())]
        await _answer(send, 200, [*marked, (b"etag", b'"%b"' % document_id.encode())], b'{"id":"%b"}' % rest.encode())

    def _list(self, noun: str, principal: Principal) -> bytes:
        kind = KIND_OF[noun]
        items = [
            {"id": f"{noun[0]}-{factory_id}-{cycle}", "factory_id": factory_id, "cycle": cycle, "kind": kind.value}
            for factory_id, cycle in self._places
            if principal.scope().covers(factory_id, kind, cycle)
        ]
        return json.dumps({"items": items, "next_cursor": None}).encode()

    def _changes(self, principal: Principal) -> bytes:
        """The feed, as far as it is about progress."""
        items = [
            {
                "kind": "progress",
                "factory_id": factory_id,
                "cycle": cycle,
                "document_id": f"p-{factory_id}-{cycle}",
                "is_withdrawn": False,
            }
            for factory_id, cycle in self._places
            if principal.scope().covers(factory_id, ReportKind.PROGRESS, cycle)
        ]
        return json.dumps({"items": items, "next_cursor": None}).encode()


KIND_OF: Final = {"reports": ReportKind.ASSESSMENT, "plans": ReportKind.IMPROVEMENT_PLAN}


def _kinds(noun: str, part: str, principal: Principal, place: Place) -> tuple[ReportKind, ...]:
    """The kinds of content in an answer, the first of which it is about; a plan tells its progress to whom it may."""
    if part == "progress":
        return (ReportKind.PROGRESS,)
    is_with_progress = noun == "plans" and principal.scope().covers(place[0], ReportKind.PROGRESS, place[1])
    return (KIND_OF[noun], ReportKind.PROGRESS) if is_with_progress else (KIND_OF[noun],)


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
