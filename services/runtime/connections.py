"""HTTP connections that end when the other side dawdles: heads have a length and a time, answers must be taken."""

import asyncio
import socket
from typing import Final

import msgspec
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from contracts.errors import Problem

MOST_HEAD_BYTES: Final = 64 * 1024
HEAD_S: Final = 20.0
"""For so long a connection may stay without a whole head of a request."""

STALLED_S: Final = 60.0
"""For so long the other side may take nothing of what is sent to it."""

MOST_BUFFERED_BYTES: Final = 16 * 1024
"""Whoever goes on sending beyond this waits until all of it has left the process."""

MOST_UNSENT_BYTES: Final = 64 * 1024
"""So much may lie in the kernel without having been sent: what lies there cannot be taken back."""

_REFUSED: Final = msgspec.json.encode(
    Problem(title="Too large", status=431, detail="The head of the request is too long.", code="head_too_large")
)


class CarefulHttp(HttpToolsProtocol):
    """Uvicorn's protocol with limits that its parser and its writing lack."""

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _awaits_head = True
    _is_in_head = False
    _head_bytes = 0
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep little behind what the other side takes, and begin to wait for a head."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=MOST_BUFFERED_BYTES, low=0)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # where the kernel knows it
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES
            )
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
        if self._awaits_head:
            self._wait_for_head()
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        async def answered(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            try:
                await app(scope, receive, send)
            finally:
                if cycle.response_started and not cycle.response_complete:
                    self.transport.abort()  # closing would first send what is left of an answer that was broken off

        self._answering = cycle
        super()._start_asgi_task(cycle, answered)

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting_for_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_head(self) -> None:
        head = f"content-type: application/problem+json\r\ncontent-length: {len(_REFUSED)}\r\nconnection: close\r\n\r\n"
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + head.encode() + _REFUSED)
        self.transport.close()

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
