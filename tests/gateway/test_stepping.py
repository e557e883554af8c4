"""A coroutine begun at once: what need not wait is over when ``begun`` returns, what waits can be cut."""

import asyncio

import pytest

from gateway.stepping import begun


async def test_what_need_not_wait_is_done_at_once() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("done")

    assert begun(work()) is None
    assert done == ["done"]


async def test_what_waits_goes_on_as_a_task() -> None:
    gate, done = asyncio.Event(), list[str]()

    async def work() -> None:
        done.append("first")
        await gate.wait()
        await asyncio.sleep(0)
        done.append("last")

    task = begun(work())
    assert task is not None
    assert done == ["first"]
    gate.set()
    await task
    assert done == ["first", "last"]


@pytest.mark.parametrize("is_waiting_already", [True, False])
async def test_what_is_cut_does_nothing_more(*, is_waiting_already: bool) -> None:
    gate, done = asyncio.Event(), list[str]()

    async def work() -> None:
        try:
            await gate.wait()
            done.append("sent")
        finally:
            done.append("let go")

    task = begun(work())
    assert task is not None
    if is_waiting_already:
        await asyncio.sleep(0)
    gate.set()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert done == ["let go"]


async def test_a_failure_is_told_in_the_first_step_and_later() -> None:
    async def at_once() -> None:
        raise ConnectionError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise ConnectionError("later")

    with pytest.raises(ConnectionError, match="at once"):
        begun(at_once())
    task = begun(later())
    assert task is not None
    with pytest.raises(ConnectionError, match="later"):
        await task


async def test_a_cancellation_may_be_survived_as_in_any_task() -> None:
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            done.append("tidied")

    task = begun(work())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert done == ["tidied"]
