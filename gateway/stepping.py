"""A coroutine that is begun at once, and goes on as a task only if it has to wait: most sending never does."""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Future[None] | None:
    """Take the first step of ``work`` here; ``None`` when that was all of it, else a task for what is left.

    Raises whatever the first step raises. When the task is cancelled, nothing more of the work happens. In the first
    step the running task is the caller's: what looks at it, such as ``asyncio.timeout``, does not belong there.
    """
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    task = asyncio.ensure_future(_left(work, waits_for))
    task.add_done_callback(lambda _: work.close())  # one that is cut before it goes on does not even begin to
    return task


@coroutine
def _left(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """What is left of a coroutine that waits for something."""
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - a cancellation is for the one who waits
                waits_for = work.throw(error)
            else:
                waits_for = work.send(None)
    except StopIteration:
        return
