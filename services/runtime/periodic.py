"""Something that a service does by itself every now and then, beside the requests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from contracts.errors import Refusal
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)
CLEARING_UP_S: Final = 5.0
"""For so long a task that is to end is left to it before it is told once more."""


class Background(Protocol):
    """What runs beside the requests of a service."""

    async def start(self) -> None:
        """Begin; the stores are open and the bus is connected."""

    async def stop(self) -> None:
        """End; the stores are still open."""


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and return when it is over; what it raised is logged by the event loop, not raised here.

    A library may lose a cancellation, so it is repeated. Who is cancelled while waiting here, is.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CLEARING_UP_S)


class Periodic:
    """An act that is done again and again; what it raises is logged, and the next time is another try."""

    def __init__(self, name: str, act: Callable[[], Awaitable[None]], *, every_s: float) -> None:
        self._name = name
        self._act = act
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, the first time at once."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End, in the middle of an act if need be: it must bear that."""
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._act()
            except (Refusal, StoreUnavailable) as error:
                logger.info(self._name, extra={"reason": type(error).__name__})
            except Exception as error:
                logger.exception(self._name, exc_info=error)
            await asyncio.sleep(self._every_s)
