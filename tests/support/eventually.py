"""Waiting for what happens in its own time: poll until a deadline, and say what was waited for."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

_POLL_S = 0.02
_STILL_S = 0.1


@overload
async def eventually(probe: Callable[[], Awaitable[T]], within_s: float = ..., *, saying: str) -> T: ...


@overload
async def eventually(probe: Callable[[], T], within_s: float = ..., *, saying: str) -> T: ...


async def eventually(probe: Callable[[], T | Awaitable[T]], within_s: float = 10.0, *, saying: str) -> T:
    """Call the probe (plain or async) until it returns something true, and return that.

    An ``AssertionError`` in the probe means "not yet". Raises ``AssertionError`` with ``saying`` and what was
    seen last when the deadline passes.
    """
    deadline = time.monotonic() + within_s
    while True:
        seen: object
        try:
            found = probe()
            result: T = await found if inspect.isawaitable(found) else found
            if result:
                return result
            seen = result
        except AssertionError as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {within_s:g} s for: {saying}. Seen last: {seen!r}")
        await asyncio.sleep(_POLL_S)


async def until_still(probe: Callable[[], object], within_s: float = 10.0) -> None:
    """Return when what the probe tells has been the same for a while; raises ``AssertionError`` when it goes on."""

    async def is_still() -> bool:
        before = probe()
        await asyncio.sleep(_STILL_S)
        return probe() == before

    await eventually(is_still, within_s, saying="nothing goes on any more")
