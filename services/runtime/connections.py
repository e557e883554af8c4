"""HTTP connections that end when the other side dawdles: heads have a length and a time, answers must be taken."""

import asyncio
from typing import Final, cast

import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from contracts.errors import Problem

MOST_HEAD_BYTES: Final = 1024 * 1024
"""What the caller may see is in the head of what a service is asked: up to 40 bytes for each thing."""
HEAD_S: Final = 20.0
"""For so long a connection may stay without a whole head of a request."""

STALLED_S: Final = 60.0
"""For so long the other side may take nothing of what is sent to it."""

_REFUSED: Final = msgspec.json.encode(
    Problem(title="Too large", status=431, detail="The head of the request is too long.", code="head_too_large")
)


class _LastAnswer:
    """Where the last answer of a connection is written; the connection itself says how it is closed."""

    def __init__(self, connection: "CarefulHttp") -> None:
        transport = connection.transport
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, connection.answered


class CarefulHttp(HttpToolsProtocol):
    """Uvicorn's protocol with limits that its parser and its writing lack."""

    most_head_bytes = MOST_HEAD_BYTES
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _awaits_head = True
    _is_in_head = False
    _head_bytes = 0
    _has_ended = False
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting_for_head()
        self._stop_watching_writing()
        super().connection_lost(exc)
        if self._answering is not None:
            # Uvicorn tells the newest request only: an older one, which is being answered while others were sent
            # ahead, would go on for nobody and fail at its next write.
            self._answering.disconnected = True
            self._answering.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that is too long is refused before it is whole."""
        if self._has_ended:
            return
        if self._awaits_head:
            self._wait_for_head()
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.most_head_bytes and not self.transport.is_closing():
                self._refuse_head()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._awaits_head = self._is_in_head = False
        self._stop_waiting_for_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for another head, unless one was sent ahead."""
        self._awaits_head = not self.pipeline
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Begin to watch whether the other side takes anything."""
        super().pause_writing()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop watching."""
        self._stop_watching_writing()
        super().resume_writing()

    def answered(self) -> None:
        """Close the connection after its last answer, or only our half of it while the request is still coming."""
        if self._answering is not None and self._answering.more_body:
            self._end()
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        if not cycle.keep_alive:
            cycle.transport = cast(asyncio.Transport, _LastAnswer(self))
        super()._start_asgi_task(cycle, app)

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting_for_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_head(self) -> None:
        if self._answering is not None and not self._answering.response_complete:
            self.transport.abort()  # what is written now would stand in the middle of an answer
            return
        head = f"content-type: application/problem+json\r\ncontent-length: {len(_REFUSED)}\r\nconnection: close\r\n\r\n"
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + head.encode() + _REFUSED)
        self._end()

    def _end(self) -> None:
        """Say that nothing more comes, and let what the other side still sends run out.

        Closing while it comes would reset the connection, and the answer would be lost on its way.
        """
        self._has_ended = True
        self._wait_for_head()  # the longest that this may last
        self.flow.resume_reading()
        self.transport.write_eof()

    def _watch_writing(self, before: int) -> None:
        self._write_timer = self.loop.call_later(STALLED_S, self._end_if_stalled, before)

    def _stop_watching_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _end_if_stalled(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()  # closing would wait for the other side once more
        else:
            self._watch_writing(left)
