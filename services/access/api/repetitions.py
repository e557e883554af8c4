"""The internal HTTP routes of requests with an ``Idempotency-Key``: gateways claim them and keep their answers."""

from datetime import UTC, datetime
from typing import Annotated

from litestar import post, put
from litestar.params import Parameter

from contracts.permissions import Permission
from contracts.repetitions import Claim, Claimed, Ended
from services.access.store.repetitions import Repetitions
from services.access.usecases import repetitions as usecases
from services.runtime.http import Injected, requires

Key = Annotated[str, Parameter(pattern=r"^[0-9a-f]{64}$")]


@post(
    "/repetitions/{key:str}/claim",
    guards=[requires(Permission.REPETITION_KEEP)],
    status_code=200,
    include_in_schema=False,
)
async def claim_repetition(repetitions: Injected[Repetitions], key: Key, data: Claim) -> Claimed:
    """Say whether the gateway is to do a request, or what else to answer."""
    return await usecases.claim(repetitions, key, data, now=datetime.now(UTC))


@put("/repetitions/{key:str}", guards=[requires(Permission.REPETITION_KEEP)], status_code=204, include_in_schema=False)
async def end_repetition(repetitions: Injected[Repetitions], key: Key, data: Ended) -> None:
    """Keep what a request ended with."""
    await usecases.end(repetitions, key, data, now=datetime.now(UTC))


INTERNAL = (claim_repetition, end_repetition)
