"""``careless PART MODULE``: a process of STAR of which one part is broken on purpose.

It is here so that the chaos run can show that it would see the break: a judge that never finds anything proves nothing.
"""

import runpy
import sys
from typing import Final

from litestar.types import Message, Send

from gateway.replica import Guard
from services.access.usecases.consent import Consent


async def _in_force_at_once(self: Consent, epoch: int, *, given: int) -> None:
    """Confirm a withdrawal without waiting for any gateway."""


def _stands_whatever(self: Guard) -> bool:  # noqa: ARG001 - the guard's own shape
    """Let every answer go on."""
    return True


async def _send_whatever(self: Guard, send: Send, message: Message) -> None:  # noqa: ARG001 - the guard's own shape
    """Send every message whether the decision still stands or not."""
    await send(message)


def _without_waiting() -> None:
    Consent.in_force = _in_force_at_once  # type: ignore[method-assign]


def _without_guard() -> None:
    Guard.stands = _stands_whatever  # type: ignore[method-assign]
    Guard.send = _send_whatever  # type: ignore[method-assign]


PARTS: Final = {"waiting": _without_waiting, "guard": _without_guard}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
    runpy.run_module(sys.argv[2], run_name="__main__", alter_sys=True)
