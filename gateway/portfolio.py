"""Everything that a buyer may see just now as one download: a ZIP file that is made while it is sent.

Its lists are put on record as lists are. Each document is read as a single one is: decided by itself, put on record,
and sent under guard. What was withdrawn before its turn is left out; what is withdrawn while it is being sent breaks
the whole download off. ``manifest.json`` at the end names every document and what became of it. One document at a time
is in memory, and a line about each.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Generator, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import msgspec
from litestar.types import Message, Send

from contracts.errors import Malformed, NotFound, NotPermitted
from contracts.identity import NOTHING_SHARED, Principal
from contracts.permissions import Permission, may
from gateway.answers import RefusedWith, guarded
from gateway.archive import Archive
from gateway.call import Call
from gateway.manifest import Document, Line, Manifest, Part, files_of, index
from gateway.proxy import Proxy
from gateway.reading import Reading
from gateway.recording import ReadNotRecorded
from gateway.replica import Guard, Replica, Subject
from gateway.routes import PREFIX, SERVICE_OF, Route
from gateway.shaping import VARY, Opened
from gateway.upstream import Outgoing, UpstreamDown

PATH: Final = f"{PREFIX}portfolio"
ROUTE: Final = Route(PATH, "gateway", frozenset({"GET"}))
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one document; a longer one is named in the manifest as not available."""

_CYCLE: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_LISTS: Final[Mapping[str, int]] = {"reports": 100, "plans": 20}
"""The lists that are walked, with a size of page that fits into memory."""


class PortfolioRunning(RefusedWith):
    """One download of a buyer's portfolio at a time is enough."""

    status = 429
    code = "portfolio_running"


class _Page(msgspec.Struct):
    items: list[Document]
    next_cursor: str | None


class Portfolio:
    """Answers the address of the portfolio."""

    def __init__(self, proxy: Proxy, reading: Reading, replica: Replica) -> None:
        self._proxy = proxy
        self._reading = reading
        self._replica = replica
        self._running: set[str] = set()

    async def serve(self, call: Call, route: Route, send: Send) -> None:
        """Send everything that the buyer may see; raises refusals before anything was sent, ``Withdrawn`` later."""
        call.body.skip()
        principal = await self._proxy.admitted(call)
        buyer_id = principal.buyer_id
        if buyer_id is None or not may(principal, Permission.PORTFOLIO_READ):
            raise NotPermitted("A portfolio is what factories share with a buyer.")
        if buyer_id in self._running:
            raise PortfolioRunning("This portfolio is being downloaded; wait for the end.", ((b"retry-after", b"10"),))
        self._running.add(buyer_id)
        try:
            download = _Download(self._proxy, self._reading, self._replica, principal, buyer_id, _cycle(call))
            await download.send_all(send, route)
        finally:
            self._running.discard(buyer_id)


class _Download:
    """One portfolio on its way to one buyer."""

    def __init__(
        self,
        proxy: Proxy,
        reading: Reading,
        replica: Replica,
        principal: Principal,
        buyer_id: str,
        cycle: int | None,
    ) -> None:
        self._proxy = proxy
        self._reading = reading
        self._replica = replica
        self._principal = principal
        self._buyer_id = buyer_id
        self._cycle = cycle
        self._begun_at = datetime.now(UTC)
        self._begun = replica.decide(buyer_id, principal.user_name)
        self._lines: list[tuple[Line, Subject | None]] = []

    async def send_all(self, send: Send, route: Route) -> None:
        """Send the archive; the first page of the first list is read before, so that a refusal can still be told."""
        parts = self._parts()
        part = await anext(parts, None)
        name = route.template.rpartition("/")[2]
        headers = [
            *guarded(),
            VARY,
            (b"content-type", b"application/zip"),
            (b"content-disposition", f'attachment; filename="{name}.zip"'.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with Archive(self._begun_at) as archive:
            while part is not None:
                await self._send_part(part, archive, send)
                part = await anext(parts, None)
            await self._send_end(archive, send)

    async def _parts(self) -> AsyncIterator[Part]:
        """The files of every document that the buyer's lists name, a page in memory at a time."""
        for noun, limit in _LISTS.items():
            cursor: str | None = ""
            while cursor is not None:
                page = await self._page(noun, limit, cursor)
                for document in page.items:
                    for part in files_of(noun, document):
                        yield part
                cursor = page.next_cursor

    async def _page(self, noun: str, limit: int, cursor: str) -> _Page:
        query = f"limit={limit}" + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
        if noun == "reports" and self._cycle is not None:
            query += f"&cycle={self._cycle}"
        request = Outgoing(method="GET", target=PREFIX + noun, query=query, route=PREFIX + noun)
        async with self._proxy.opened(self._principal, SERVICE_OF[noun], request) as (answer, guard):
            if answer.status != 200 or not answer.is_whole or guard is None:
                raise UpstreamDown(f"A list cannot be read just now: {answer.status}.")
            page = msgspec.json.decode(answer.head, type=_Page)
            page.items = [document for document in page.items if self._is_shown(document, guard)]
            # The manifest will name these and no others.
            told = msgspec.structs.replace(answer, head=msgspec.json.encode(page))
            await self._reading.record(self._principal, guard, request.route, told, is_confirmed=False)
            return page

    def _is_shown(self, document: Document, guard: Guard) -> bool:
        """Whether a listed document was asked for and is shared, whatever the service says."""
        shared = guard.decision.shares.get(document.kind, NOTHING_SHARED)
        return self._cycle in {None, document.cycle} and shared.covers(document.factory_id, document.cycle)

    async def _send_part(self, part: Part, archive: Archive, send: Send) -> None:
        """Send one file, unless it was withdrawn or cannot be read."""
        request = Outgoing(method="GET", target=part.target, route=part.route)
        service = SERVICE_OF[part.target.removeprefix(PREFIX).partition("/")[0]]
        try:
            async with self._proxy.opened(self._principal, service, request) as (answer, guard):
                content = await _content(answer)
                if answer.status != 200 or content is None or guard is None:
                    self._note(part, "withdrawn" if answer.status == 404 else "not_available")
                    return
                digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
                await self._reading.record(self._principal, guard, part.route, answer, is_confirmed=False)
                if not guard.stands():
                    self._note(part, "withdrawn")
                    return
                # From here on nothing is awaited but the sending itself: the bytes are sent, or the download is over.
                self._note(part, "included", size=len(content), sha256=digest, subject=guard.subject)
                await _send_all(send, guard, archive.add(part.path, content, is_text=_is_text(part.path)))
        except NotFound:
            self._note(part, "withdrawn")
        except (UpstreamDown, ReadNotRecorded):
            self._note(part, "not_available")

    async def _send_end(self, archive: Archive, send: Send) -> None:
        """Send the table and the manifest, without what was withdrawn meanwhile, and the end of the archive."""
        decision = self._replica.decide(self._buyer_id, self._principal.user_name)
        guard = self._replica.guard(decision)
        guard.is_on_record = True  # what they name was put on record before, as listed and as read
        try:
            for line, subject in self._lines:
                if line.state == "included" and not self._replica.stands(decision, subject):
                    line.state = "included_then_withdrawn"
            lines = [line for line, _ in self._lines]
            manifest = Manifest(
                buyer_id=self._buyer_id,
                cycle=self._cycle,
                begun_at=self._begun_at,
                ended_at=datetime.now(UTC),
                epoch_begun=self._begun.epoch,
                epoch_ended=decision.epoch,
                is_complete=all(line.state != "not_available" for line in lines),
                files=lines,
            )
            content = msgspec.json.format(msgspec.json.encode(manifest))
            await _send_all(send, guard, archive.add("index.csv", index(lines), is_text=True))
            await _send_all(send, guard, archive.add("manifest.json", content, is_text=True))
            await _send_all(send, guard, archive.end())
            await guard.send(send, {"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            guard.release()

    def _note(self, part: Part, state: str, *, size: int = 0, sha256: str = "", subject: Subject | None = None) -> None:
        about = part.document
        line = Line(
            path=part.path,
            document_id=about.id,
            factory_id=about.factory_id,
            factory_name=about.factory_name,
            kind=about.kind,
            cycle=about.cycle,
            state=state,
            size=size,
            sha256=sha256,
        )
        self._lines.append((line, subject))


async def _content(answer: Opened) -> bytes | None:
    """All of an answer; ``None`` when it is too long."""
    content = bytearray(answer.head)
    async for chunk in answer.rest:
        content += chunk
        if len(content) > MOST_BYTES:
            return None
    return bytes(content)


async def _send_all(send: Send, guard: Guard, pieces: Generator[bytes, None, None]) -> None:
    with contextlib.closing(pieces):
        for piece in pieces:
            if piece:
                message: Message = {"type": "http.response.body", "body": piece, "more_body": True}
                await guard.send(send, message)


def _is_text(path: str) -> bool:
    return path.endswith(".json")


def _cycle(call: Call) -> int | None:
    """The cycle that the query names; raises ``Malformed``."""
    told = [part.partition("=")[2] for part in call.query.split("&") if part.partition("=")[0] == "cycle"]
    if not told:
        return None
    if len(told) > 1 or not _CYCLE.fullmatch(told[0]) or int(told[0]) > 10_000:
        raise Malformed("A cycle is a number from 0 to 10000.")
    return int(told[0])
