"""What runs beside the requests ends when it is told to, whatever it is in the middle of."""

import asyncio
import contextlib

import pytest

from services.runtime import periodic
from services.runtime.periodic import Periodic, ended


class Act:
    """Something to do again and again, which waits for ever in the middle."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.losing = 0
        self.clearing_up_s = 0.0
        self.is_cleared_up = False

    async def __call__(self) -> None:
        self.began.set()
        while self.losing >= 0:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.losing -= 1
        await asyncio.sleep(self.clearing_up_s)
        self.is_cleared_up = True
        raise asyncio.CancelledError


async def test_an_act_is_cut_off_and_may_clear_up() -> None:
    act = Act()
    act.clearing_up_s = 0.2
    sweeping = Periodic("sweeping", act, every_s=60)
    await sweeping.start()
    await act.began.wait()
    await sweeping.stop()
    assert act.is_cleared_up


async def test_an_act_that_loses_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "CLEARING_UP_S", 0.05)
    act = Act()
    act.losing = 2
    sweeping = Periodic("sweeping", act, every_s=60)
    await sweeping.start()
    await act.began.wait()
    await asyncio.wait_for(sweeping.stop(), 5)
    assert act.is_cleared_up


async def test_who_has_no_time_left_to_wait_is_let_go_of() -> None:
    act = Act()
    act.clearing_up_s = 1
    task = asyncio.create_task(act())
    await act.began.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ended(task)
    assert not task.done()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_was_never_begun_or_failed_long_ago_has_ended() -> None:
    async def fail() -> None:
        raise KeyError

    failed = asyncio.create_task(fail())
    await asyncio.wait([failed])
    await ended(None)
    await ended(failed)
    assert isinstance(failed.exception(), KeyError)
