"""Something that a service does by itself every now and then, beside the requests."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from contracts.errors import Refusal
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)


class Background(Protocol):
    """What runs beside the requests of a service."""

    async def start(self) -> None:
        """Begin; the stores are open and the bus is connected."""

    async def stop(self) -> None:
        """End; the stores are still open."""


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
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._act()
            except (Refusal, StoreUnavailable) as error:
                logger.info(self._name, extra={"reason": type(error).__name__})
            except Exception as error:
                logger.exception(self._name, exc_info=error)
            await asyncio.sleep(self._every_s)
