"""A stand-in for reporting, ``papers PORT``: cheap documents that carry the moment at which they were made.

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
FACTORIES: Final = tuple(f"f{number}" for number in range(1, 9))
PIECES: Final = 8
BETWEEN_PIECES_S: Final = 0.04
FILLER: Final = b"-" * 512 + b"\n"
CYCLE: Final = 1
KIND: Final = ReportKind.ASSESSMENT
_JSON: Final = (b"content-type", b"application/json")

Message = dict[str, Any]


class Papers:
    """The ASGI application."""

    def __init__(self, verify_key: str) -> None:
        self._principal = functools.lru_cache(maxsize=1024)(Verifier(verify_key).principal)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        path: str = scope["path"]
        if not path.startswith(REPORTS):
            await _whole(send, 200, [_JSON], b"{}")
            return
        headers = dict(scope["headers"])
        principal = self._principal(headers[b"authorization"].decode())
        report_id, _, rest = path.removeprefix(f"{REPORTS}/").partition("/")
        factory = report_id.removeprefix("r-")
        if path == REPORTS:
            shown = [paper(each) for each in FACTORIES if is_shown(principal, each)]
            await _whole(send, 200, [_JSON], b'{"items":[' + b",".join(shown) + b'],"next_cursor":null}')
        elif not is_shown(principal, factory):
            await _whole(send, 404, [(b"content-type", b"application/problem+json")], b'{"code":"not_found"}')
        elif rest == "file":
            await self._stream(factory, receive, send)
        else:
            await self._single(factory, headers, send)

    async def _single(self, factory: str, headers: dict[bytes, bytes], send: Any) -> None:
        tag = b'"%s"' % factory.encode()
        marked = [_JSON, *marks(factory), (b"etag", tag)]
        is_known = headers.get(b"if-none-match") == tag
        await _whole(send, 304 if is_known else 200, marked, b"" if is_known else paper(factory))

    async def _stream(self, factory: str, receive: Any, send: Any) -> None:
        """A download that takes its time; it ends when the gateway leaves."""
        gone = asyncio.ensure_future(_left(receive))
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-type", b"application/pdf"), *marks(factory)]})
        for _ in range(PIECES):
            piece = paper(factory) + b"\n" + FILLER
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if (await asyncio.wait({gone}, timeout=BETWEEN_PIECES_S))[0]:
                return
        gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def is_shown(principal: Principal, factory: str) -> bool:
    """Whether the principal may see the assessments of a factory."""
    return principal.scope().covers(factory, KIND)


def marks(factory: str) -> list[tuple[bytes, bytes]]:
    """What the gateway decides by, again, before it lets anything out."""
    return [
        (b"star-factory", factory.encode()),
        (b"star-kind", KIND.value.encode()),
        (b"star-cycle", str(CYCLE).encode()),
        (b"star-document", f"r-{factory}".encode()),
    ]


def paper(factory: str) -> bytes:
    """A document: whose it is, and when it was made."""
    known = {"id": f"r-{factory}", "factory_id": factory, "cycle": CYCLE, "kind": KIND.value}
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
