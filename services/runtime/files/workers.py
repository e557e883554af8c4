"""A bounded set of threads for a store's blocking calls, with a bounded wait for a free one."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Result = TypeVar("Result")

_BATCH = 500


class Workers:
    """At most ``size`` blocking calls at a time; one that finds no thread for ``patience_s`` seconds is refused."""

    def __init__(self, name: str, *, size: int, patience_s: float) -> None:
        self._patience_s = patience_s
        self._free = asyncio.Semaphore(size)
        self._threads = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)

    async def run(self, call: Callable[[], Result]) -> Result:
        """Run a call in a thread; raises ``TimeoutError`` when every thread stays busy.

        A cancelled caller leaves at once, but the call runs to its end and keeps its thread until then.
        """
        async with asyncio.timeout(self._patience_s):
            await self._free.acquire()
        try:
            running = asyncio.wrap_future(self._threads.submit(call))
        except BaseException:
            self._free.release()
            raise
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    def _done(self, running: "asyncio.Future[Result]") -> None:
        """Free the thread; what a call raises whose caller has left is nobody's to hear."""
        self._free.release()
        if not running.cancelled():
            running.exception()

    async def finish(self, call: Callable[[], None]) -> None:
        """Clean up in a thread: never refused, run to its end, and also done when the threads were stopped."""
        try:
            running = asyncio.wrap_future(self._threads.submit(call))
        except RuntimeError:
            call()
        else:
            await asyncio.shield(running)

    async def iterate(self, items: Iterator[Result]) -> AsyncGenerator[Result, None]:
        """Draw from a blocking iterator, some hundred items per call."""
        while batch := await self.run(lambda: list(islice(items, _BATCH))):
            for item in batch:
                yield item

    def stop(self) -> None:
        """Take no further call; those that run end in their own time."""
        self._threads.shutdown(wait=False, cancel_futures=True)
