"""TCP wires between processes that a test can cut, silence or slow down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Final

PIECE: Final = 64 * 1024
LONGEST_HANDSHAKE_S: Final = 5.0


class Fault(StrEnum):
    """What is wrong with a wire."""

    NOTHING = "nothing"
    CUT = "cut"
    SILENT = "silent"
    DEAF = "deaf"
    MUTE = "mute"
    SLOW = "slow"


_HELD_ONWARD: Final = frozenset({Fault.SILENT, Fault.MUTE})
_HELD_BACK: Final = frozenset({Fault.SILENT, Fault.DEAF})


class Wire:
    """Listens on a free port and passes bytes on to one server.

    A ``CUT`` wire resets every connection. A ``SILENT`` one takes connections and bytes and passes nothing on, a
    ``MUTE`` one holds only what the caller says and a ``DEAF`` one only what it would hear; what was held arrives late,
    when the wire heals. A ``SLOW`` one delays every piece.
    """

    def __init__(self, name: str, host: str, port: int, *, delay_s: float) -> None:
        self.name = name
        self.port = 0
        self._server_address = (host, port)
        self._delay_s = delay_s
        self._fault = Fault.NOTHING
        self._changed = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def strung(self) -> AsyncIterator["Wire"]:
        """Listen meanwhile."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.suffer(Fault.CUT)
            await asyncio.sleep(0)

    def suffer(self, fault: Fault) -> None:
        """From now on this is wrong with the wire."""
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()
        if fault is Fault.CUT:
            for writer in self._open:
                writer.transport.abort()

    def lead_to(self, host: str, port: int) -> None:
        """From now on new connections go to another server; the open ones stay where they are."""
        self._server_address = (host, port)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it."""
        if self._fault is Fault.CUT:
            writer.transport.abort()
            return
        self._open.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(LONGEST_HANDSHAKE_S):
                server, onward = await asyncio.open_connection(*self._server_address)
            self._open.add(onward)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, onward, _HELD_ONWARD))
                group.create_task(self._pump(server, writer, _HELD_BACK))
        except* (OSError, TimeoutError, ConnectionError):
            pass
        finally:
            for end in (writer, onward):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, held: frozenset[Fault]) -> None:
        """Pass bytes one way; raises ``ConnectionError`` at the end, so that the other way ends as well."""
        while piece := await source.read(PIECE):
            if self._fault is Fault.SLOW:
                await asyncio.sleep(self._delay_s)
            while self._fault in held:
                await self._changed.wait()
            if sink.transport.is_closing():
                break
            sink.write(piece)
            await sink.drain()
        raise ConnectionResetError
