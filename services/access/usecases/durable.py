"""Writings that come to their end, also when the caller who began them leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_writing: set[asyncio.Future[Any]] = set()
"""The event loop itself would forget a task that nobody waits for any more."""


async def durable(writing: Coroutine[Any, Any, T]) -> T:
    """Let a writing end, also when the caller does not wait for it."""
    task = asyncio.ensure_future(writing)
    _writing.add(task)
    task.add_done_callback(_writing.discard)
    return await asyncio.shield(task)
