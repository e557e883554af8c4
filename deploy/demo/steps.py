"""One step of the demo at a time: timed, traced, and checked against the status it must have."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from deploy.client import Answer, Client

PATIENCE_S = 30.0
PAUSE_S = 0.05


class Step(msgspec.Struct, frozen=True):
    """What one step did; ``ms`` counts until it was so, waiting for events included."""

    step: str
    actor: str
    status: int
    ms: float
    trace_id: str


class StepFailed(Exception):
    """A step did not answer as it must."""


class Walk:
    """The steps that were taken so far, each told to ``tell`` as it happens."""

    def __init__(self, client: Client, tell: Callable[[Step], None]) -> None:
        self._client = client
        self._people: dict[str, Client] = {}
        self._tell = tell
        self.steps: list[Step] = []

    async def step(
        self,
        name: str,
        actor: str,
        method: str,
        path: str,
        body: object = None,
        *,
        expect: int = 200,
        upload: tuple[bytes, str] | None = None,
        until: Callable[[Any], bool] | None = None,
    ) -> Answer:
        """Send JSON, or a file with its media type, as one person.

        With ``until`` it is sent again and again until the JSON answer satisfies it.

        Raises ``StepFailed`` for another status, or when nothing came of the waiting.
        """
        client = self._people.setdefault(actor, self._client.as_user(actor))
        data, headers = (upload[0], {"content-type": upload[1]}) if upload else (None, None)
        started = time.perf_counter()
        while True:
            answer = await client.call(method, path, body, data=data, headers=headers)
            satisfied = answer.status == expect and (until is None or until(answer.json))
            waited_s = time.perf_counter() - started
            if satisfied or until is None or waited_s > PATIENCE_S:
                break
            await asyncio.sleep(PAUSE_S)
        done = Step(name, actor, answer.status, round(waited_s * 1000, 1), answer.trace_id)
        self.steps.append(done)
        self._tell(done)
        if not satisfied:
            raise StepFailed(f"{name}: expected {expect}, got {answer.status}: {answer.body[:500]!r}")
        return answer
