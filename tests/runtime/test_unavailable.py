"""What a caller hears while a store is away: come again, and when; nothing of the driver."""

import httpx
from litestar import get
from litestar.types import ASGIApp

from services.runtime.http import make_app
from services.runtime.identity import Verifier, new_signing_key, verify_key_of
from services.runtime.unavailable import StoreUnavailable


@get("/things", opt={"public": True})
async def read_things() -> None:
    raise StoreUnavailable("The documents cannot be reached just now.") from TimeoutError("mongo-1:27017 timed out")


async def test_a_store_that_is_away_is_a_503_that_says_when_to_come_back() -> None:
    verifier = Verifier(verify_key_of(new_signing_key()))
    app: ASGIApp = make_app("Things", [read_things], verifier=verifier, dependencies={}, checks={})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://star") as client:  # type: ignore[arg-type]
        answer = await client.get("/things")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_not_available")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert "mongo" not in answer.text
