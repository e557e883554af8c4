"""A service with reports and plans to download."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar.types import Receive, Scope, Send

REPORTS = {"r1": ("f1", 1), "r2": ("f1", 2), "r3": ("f2", 1)}
PLANS = {"p1": ("f1", 1), "p2": ("f2", 2)}
PIECE = 64 * 1024


@dataclass
class Shelf:
    """A service with reports and plans, one on a page; it shows whatever it is asked for.

    A report's file comes in pieces, of which ``made`` were made, and breaks off behind ``breaks_after`` of them.
    """

    reports: dict[str, tuple[str, int]] = field(default_factory=lambda: dict(REPORTS))
    plans: dict[str, tuple[str, int]] = field(default_factory=lambda: dict(PLANS))
    progress: dict[str, tuple[str, int]] = field(default_factory=lambda: dict(PLANS))
    withdrawn: set[str] = field(default_factory=set)
    pdf: bytes = b"%PDF-" + b"x" * 2000
    broken: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    held: str = ""
    made: int = 0
    breaks_after: int | None = None
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        assert scope["type"] == "http"  # type: ignore[comparison-overlap]
        path = scope["path"].removeprefix("/api/v1/")
        self.seen.append(f"{path}?{scope['query_string'].decode()}")
        if path == self.held:
            await self.go_on.wait()
        noun, _slash, rest = path.partition("/")
        status, body, headers = 200, b"", [(b"content-type", b"application/json")]
        is_file = False
        if path in self.broken:
            status = 503
        elif not rest:
            body = self.page(noun, scope["query_string"].decode())
        else:
            name, _slash, part = rest.partition("/")
            is_file = part == "file"
            kind = "progress" if part == "progress" else "assessment" if noun == "reports" else "improvement_plan"
            factory, cycle = getattr(self, part if part == "progress" else noun)[name]
            body = self.pdf if is_file else msgspec.json.encode({"id": name, "text": "é"})
            headers = [(b"content-type", b"application/pdf" if is_file else b"application/json")]
            headers += [(b"star-factory", factory.encode()), (b"star-kind", kind.encode())]
            headers += [(b"star-cycle", str(cycle).encode()), (b"star-document", name.encode())]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for start in range(0, len(body), PIECE) if is_file else ():
            if self.breaks_after == self.made:
                raise ConnectionError("the service breaks off")
            self.made += 1
            await send({"type": "http.response.body", "body": body[start : start + PIECE], "more_body": True})
        await send({"type": "http.response.body", "body": b"" if is_file else body, "more_body": False})

    def page(self, noun: str, query: str) -> bytes:
        asked = dict(part.split("=") for part in query.split("&"))
        documents = self.progress if noun == "changes" else getattr(self, noun)
        names = list(documents)
        at = int(asked.get("cursor", 0))
        items: list[dict[str, Any]] = []
        for name in names[at : at + 1]:
            factory, cycle = documents[name]
            about = {"factory_id": factory, "cycle": cycle}
            if noun == "changes":
                about |= {"document_id": name, "kind": "progress", "is_withdrawn": name in self.withdrawn}
                items += [{**about, "kind": "improvement_plan", "is_withdrawn": False}]
            else:
                about |= {"id": name, "lines": []}
            items.append(about | ({"kind": "assessment", "factory_name": "=Sewing"} if noun == "reports" else {}))
        return msgspec.json.encode({"items": items, "next_cursor": str(at + 1) if at + 1 < len(names) else None})
