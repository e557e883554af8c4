"""A stand-in for reporting and remediation, ``papers PORT``: cheap documents that carry the moment they were made at.

Every answer shows exactly what the signed principal may see. The moment is on the machine's monotonic clock, so that a
reader can tell what was made after a revocation had been confirmed, however long it lay in a buffer.
"""

import asyncio
import functools
import json
import os
import sys
import time
from typing import Any, Final

import uvicorn
import uvloop

from contracts.identity import Principal
from contracts.vocabulary import ReportKind
from services.runtime.identity import Verifier

REPORTS: Final = "/api/v1/reports"
PLANS: Final = "/api/v1/plans"
FACTORIES: Final = tuple(f"f{number}" for number in range(1, 9))
PIECES: Final = 8
BETWEEN_PIECES_S: Final = 0.04
FILLER: Final = b"-" * 512 + b"\n"
CYCLE: Final = 1
KINDS: Final = {REPORTS: ReportKind.ASSESSMENT, PLANS: ReportKind.IMPROVEMENT_PLAN}
PROGRESS: Final = "progress"
_JSON: Final = (b"content-type", b"application/json")

Message = dict[str, Any]


class Papers:
    """The ASGI application."""

    def __init__(self, verify_key: str) -> None:
        self._principal = functools.lru_cache(maxsize=1024)(Verifier(verify_key).principal)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        path: str = scope["path"]
        collection = next((each for each in KINDS if path.startswith(each)), None)
        if collection is None:
            await _whole(send, 200, [_JSON], b"{}")
            return
        headers = dict(scope["headers"])
        principal = self._principal(headers[b"authorization"].decode())
        document_id, _, rest = path.removeprefix(f"{collection}/").partition("/")
        factory, kind = document_id[2:], ReportKind.PROGRESS if rest == PROGRESS else KINDS[collection]
        if path == collection:
            shown = [paper(each, kind) for each in FACTORIES if is_shown(principal, each, kind)]
            await _whole(send, 200, [_JSON], b'{"items":[' + b",".join(shown) + b'],"next_cursor":null}')
        elif not is_shown(principal, factory, kind):
            await _whole(send, 404, [(b"content-type", b"application/problem+json")], b'{"code":"not_found"}')
        elif rest == "file":
            await self._stream(factory, receive, send)
        else:
            await self._single(factory, kind, headers, send)

    async def _single(self, factory: str, kind: ReportKind, headers: dict[bytes, bytes], send: Any) -> None:
        tag = b'"%s"' % factory.encode()
        marked = [_JSON, *marks(factory, kind), (b"etag", tag)]
        is_known = headers.get(b"if-none-match") == tag
        await _whole(send, 304 if is_known else 200, marked, b"" if is_known else paper(factory, kind))

    async def _stream(self, factory: str, receive: Any, send: Any) -> None:
        """A download that takes its time; it ends when the gateway leaves."""
        gone, kind = asyncio.ensure_future(_left(receive)), KINDS[REPORTS]
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-type", b"application/pdf"), *marks(factory, kind)]})
        for _ in range(PIECES):
            piece = paper(factory, kind) + b"\n" + FILLER
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if (await asyncio.wait({gone}, timeout=BETWEEN_PIECES_S))[0]:
                return
        gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def is_shown(principal: Principal, factory: str, kind: ReportKind) -> bool:
    """Whether the principal may see the documents of a factory and kind."""
    return principal.scope().covers(factory, kind)


def document_of(factory: str, kind: ReportKind) -> str:
    """The id of the one document of a factory and kind; progress goes by the id of its plan."""
    return f"{'r' if kind is KINDS[REPORTS] else 'p'}-{factory}"


def marks(factory: str, kind: ReportKind) -> list[tuple[bytes, bytes]]:
    """What the gateway decides by, again, before it lets anything out."""
    return [
        (b"star-factory", factory.encode()),
        (b"star-kind", kind.value.encode()),
        (b"star-cycle", str(CYCLE).encode()),
        (b"star-document", document_of(factory, kind).encode()),
    ]


def paper(factory: str, kind: ReportKind) -> bytes:
    """A document: whose it is, and when it was made."""
    known = {"id": document_of(factory, kind), "factory_id": factory, "cycle": CYCLE, "kind": kind.value}
    return json.dumps({"of": factory, "made_at": time.monotonic(), **known}, separators=(",", ":")).encode()


async def _left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = [] if status == 304 else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def main(port: int) -> None:
    """Serve until killed."""
    papers = Papers(os.environ["STAR_VERIFY_KEY"])
    config = uvicorn.Config(papers, port=port, lifespan="off", log_config=None, access_log=False)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
