"""The bounded threads: nobody waits for ever, and a cancelled caller does not free a thread that still works."""

import asyncio
import gc
import threading

import pytest

from services.runtime.files.workers import Workers


async def test_a_call_that_finds_every_thread_busy_is_refused_after_a_while() -> None:
    workers, release = Workers("test", size=1, patience_s=0.05), threading.Event()
    busy = asyncio.create_task(workers.run(release.wait))
    await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        await workers.run(lambda: None)
    release.set()
    assert await busy is True
    assert await workers.run(lambda: "served again") == "served again"
    workers.stop()


async def test_a_cancelled_caller_leaves_at_once_but_its_thread_stays_busy() -> None:
    workers, release = Workers("test", size=1, patience_s=0.05), threading.Event()
    busy = asyncio.create_task(workers.run(release.wait))
    await asyncio.sleep(0.01)
    busy.cancel()
    with pytest.raises(asyncio.CancelledError):
        await busy
    with pytest.raises(TimeoutError):
        await workers.run(lambda: None)
    release.set()
    workers.stop()


async def test_cleaning_up_works_when_the_threads_are_stopped() -> None:
    workers, done = Workers("test", size=1, patience_s=0.05), threading.Event()
    workers.stop()
    await workers.finish(done.set)
    assert done.is_set()


async def test_the_failure_of_a_call_reaches_the_caller() -> None:
    workers = Workers("test", size=1, patience_s=0.05)
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 // 0)
    workers.stop()


async def test_what_a_call_raises_after_its_caller_left_is_nobody_s_to_hear() -> None:
    heard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    workers = Workers("test", size=1, patience_s=5)
    begun, may_fail = threading.Event(), threading.Event()

    def fails_late() -> None:
        begun.set()
        may_fail.wait(5)
        raise ValueError("the file was closed meanwhile")

    caller = asyncio.ensure_future(workers.run(fails_late))
    await asyncio.to_thread(begun.wait, 5)
    caller.cancel()
    await asyncio.wait({caller})
    del caller
    may_fail.set()
    for _ in range(3):
        await workers.run(lambda: None)
        gc.collect()
    workers.stop()
    assert heard == []
