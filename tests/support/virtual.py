"""A loop whose time passes only when nothing is left to do, so that what waits is watched to the end at once."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock begins at 0; waiting moves it on. Nothing of the world outside is waited for."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_NeverWaits(self))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now

    def pass_by(self, seconds: float | None) -> None:
        """Move the clock on; raises ``RuntimeError`` when everybody waits for something that never comes."""
        if seconds is None:
            raise RuntimeError("Nothing is left to do, and nobody waits for a time.")
        self._now += max(0.0, seconds)

    def is_busy(self) -> bool:
        """Whether anything else is about to run, apart from what is running."""
        return bool(cast(Any, self)._ready)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns; every task that it left behind is ended."""
        try:
            return self.run_until_complete(work)
        finally:
            while left := asyncio.all_tasks(self):  # some do not stop at the first word
                for task in left:
                    task.cancel()
                self.run_until_complete(asyncio.sleep(0))


class _NeverWaits(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.pass_by(timeout)
        return super().select(0)


async def nobody_moves() -> None:
    """Return when every task has gone on as far as it can without time passing."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    await asyncio.sleep(0)
    while loop.is_busy():  # noqa: ASYNC110 - nobody tells when the loop is idle
        await asyncio.sleep(0)
