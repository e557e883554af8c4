"""Writings about one thing come one after the other, those about different things at the same time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final
from weakref import WeakValueDictionary

from services.runtime.unavailable import StoreUnavailable

PATIENCE_S: Final = 10.0
"""How long a writing may wait for its turn, so that nobody stands in line behind a dead store."""


class Turns:
    """The lines of this process, one for each name that somebody writes about."""

    def __init__(self) -> None:
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn to write about something, and keep it; raises ``StoreUnavailable``."""
        line = self._lines.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await line.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("Too many others are writing about the same; try again.") from error
        try:
            yield
        finally:
            line.release()
