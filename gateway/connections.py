"""The connections of callers: next to nothing waits to be sent on them, so that what is cut off has ended."""

import asyncio
import socket
from typing import Final

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from services.runtime.connections import CarefulHttp

MOST_BUFFERED_BYTES: Final = 16 * 1024
"""Whoever goes on sending beyond this waits until all of it has left the process."""

MOST_UNSENT_BYTES: Final = 64 * 1024
"""So much may lie in the kernel without having been sent: what lies there cannot be taken back."""


class RevocableHttp(CarefulHttp):
    """A connection on which a running answer can be ended."""

    most_head_bytes = 64 * 1024

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep little behind what the other side takes."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=MOST_BUFFERED_BYTES, low=0)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # where the kernel knows it
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES
            )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        async def answered(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            try:
                await app(scope, receive, send)
            finally:
                if cycle.response_started and not cycle.response_complete:
                    self.transport.abort()  # closing would first send what is left of an answer that was broken off

        super()._start_asgi_task(cycle, answered)
