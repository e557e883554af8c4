"""Buyers' reads over raw keep-alive connections: cheap, judged byte by byte, also when the answer comes very late."""

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from typing import Final, cast

import httptools
import msgspec

from tests.chaos.papers import FACTORIES, PLANS, PROGRESS, REPORTS
from tests.chaos.truth import Judge, Pair

PAPER: Final = re.compile(rb'"of":"(f\d+)","made_at":([0-9.]+)')
PARTY: Final = re.compile(rb'"id":"(f\d+)"()')
ROW: Final = re.compile(rb"\br-(f\d+),()")
LONGEST_MATCH: Final = 80


class Path(msgspec.Struct, frozen=True):
    """A way to read: its address, what tells a factory in the answer, and further headers.

    An answer that ``may_lack`` something says so itself, and one at a time of them is enough for a buyer. After an
    answer a client rests for ``rest_s`` besides its usual pause.
    """

    name: str
    template: str
    of: re.Pattern[bytes] = PAPER
    headers: str = ""
    may_lack: bool = False
    rest_s: float = 0.0

    @property
    def is_list(self) -> bool:
        """Whether an answer is about every factory that shares with the buyer."""
        return "{factory}" not in self.template


SINGLE: Final = Path("a report", f"{REPORTS}/r-{{factory}}")
KNOWN: Final = Path("a known report", f"{REPORTS}/r-{{factory}}", headers='if-none-match: "{factory}"\r\n')
LIST: Final = Path("the list of reports", f"{REPORTS}?limit=200")
DOWNLOAD: Final = Path("a download", f"{REPORTS}/r-{{factory}}/file")
PARTY_PATH: Final = Path("a factory", "/api/v1/factories/{factory}", PARTY)
PARTIES: Final = Path("the list of factories", "/api/v1/factories?limit=200", PARTY)
TABLE: Final = Path("the table of reports", f"{REPORTS}?limit=200&format=csv", ROW)
PLAN_LIST: Final = Path("the list of plans", f"{PLANS}?limit=200")
HOW_FAR: Final = Path("progress", f"{PLANS}/p-{{factory}}/{PROGRESS}")
PORTFOLIO: Final = Path("the portfolio", "/api/v1/portfolio", may_lack=True, rest_s=0.5)
PATHS: Final = (SINGLE, KNOWN, LIST, DOWNLOAD, PARTY_PATH, PARTIES, TABLE, PLAN_LIST, HOW_FAR, PORTFOLIO)


class Read:
    """One question and what came of it; ``done`` is set with the outcome, however late."""

    def __init__(self, judge: Judge, path: Path, buyer: str, factory: str) -> None:
        self.judge = judge
        self.path = path
        self.buyer = buyer
        self.factory = factory
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.sent_at = 0.0
        self._status = 0
        self._rest = b""
        self._seen: set[str] = set()
        self._settled: list[tuple[Pair, int]] = []
        self._is_stale = False

    def request(self, token: str) -> bytes:
        """The question as it goes over the wire, which is now."""
        about = FACTORIES if self.path.is_list else (self.factory,)
        self._settled = self.judge.settled(self.buyer, about)
        self.judge.tempted += self.judge.is_recently_closed(self.buyer, about)
        self.sent_at = time.monotonic()
        target, headers = (text.format(factory=self.factory) for text in (self.path.template, self.path.headers))
        return f"GET {target} HTTP/1.1\r\nhost: star\r\nauthorization: Bearer {token}\r\n{headers}\r\n".encode()

    def begun(self, status: int) -> None:
        """The status arrived."""
        self._status = status
        if status == 304:
            self._shown(self.factory, self.sent_at)

    def went_on(self, content: bytes) -> None:
        """A piece of the answer arrived."""
        if self._status != 200:
            return
        text, end = self._rest + content, 0
        for found in self.path.of.finditer(text):
            end = found.end()
            self._shown(found[1].decode(), max(self.sent_at, float(found[2] or 0)))
        self._rest = text[max(end, len(text) - LONGEST_MATCH) :]

    def ended(self, *, is_whole: bool) -> None:
        """The answer is over."""
        outcome = str(self._status) if is_whole else "broken off"
        self.judge.reads[self.path.name] += 1
        self.judge.answers[outcome] += 1
        self.judge.expected[self.path.name] += len(self._settled)
        if outcome in {"200", "304", "404"}:
            for pair, turn in self._settled:
                if pair.factory in self._seen:
                    self.judge.granted[self.path.name] += 1
                elif not self.path.may_lack:
                    self.judge.hidden(pair, turn, self.path.name)
        elif outcome not in ({"503", "broken off", "429"} if self.path.may_lack else {"503", "broken off"}):
            self.judge.fault(f"{self.buyer} was answered {outcome} for {self.path.name}")
        if not self.done.done():
            self.done.set_result(outcome)

    def _shown(self, factory: str, at: float) -> None:
        self._seen.add(factory)
        if not self._is_stale and self.judge.is_stale(self.buyer, factory, self.path.name, at):
            self._is_stale = True
            self.judge.stale[self.path.name] += 1


class Connection(asyncio.Protocol):
    """A connection with one question on it at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._read: Read | None = None
        self.is_usable = False
        self.is_last = False

    def ask(self, read: Read, token: str) -> None:
        """Send a question."""
        assert self._transport is not None
        self._read = read
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(read.request(token))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_usable = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._read is not None:
                self._read.judge.fault(f"an answer that is no HTTP: {error}")
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        self.is_usable = False
        self._end(is_whole=False)

    def on_headers_complete(self) -> None:
        if self._read is not None:
            self._read.begun(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        if self._read is not None:
            self._read.went_on(body)

    def on_message_complete(self) -> None:
        self.is_usable = self._parser.should_keep_alive()
        self._end(is_whole=True)
        if self.is_last or not self.is_usable:
            self.close()

    def _end(self, *, is_whole: bool) -> None:
        read, self._read = self._read, None
        if read is not None:
            read.ended(is_whole=is_whole)


class Slot:
    """A buyer's client at one gateway, which loses patience at times and asks again on another connection."""

    def __init__(self, address: tuple[str, int], tokens: Mapping[str, str]) -> None:
        self._address = address
        self._tokens = tokens
        self._connection: Connection | None = None
        self._left_open: set[Connection] = set()

    async def ask(self, read: Read, *, patience_s: float) -> str | None:
        """Ask, and tell the outcome if it comes in time; whatever comes later is judged as well."""
        connection = await self._connected()
        if connection is None:
            return None
        connection.ask(read, self._tokens[read.buyer])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(read.done)
        connection.is_last = True
        self._left_open.add(connection)
        read.done.add_done_callback(lambda _: self._left_open.discard(connection))
        self._connection = None
        return None

    @property
    def waiting(self) -> int:
        """How many questions are still open that nobody waits for."""
        return len(self._left_open)

    def close(self) -> None:
        """Hang up everywhere."""
        for connection in (self._connection, *self._left_open):
            if connection is not None:
                connection.close()

    async def _connected(self) -> Connection | None:
        if self._connection is None or not self._connection.is_usable:
            self._connection = None
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    loop = asyncio.get_running_loop()
                    _, self._connection = await loop.create_connection(Connection, *self._address)
        return self._connection
