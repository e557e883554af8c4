"""A cursor that somebody made up is refused, also when it looks like one that the list told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.identity import Principal
from services.access.store.ledger import NEWEST_FIRST
from services.runtime.documents import Document, Sort, cursor_of
from tests.access.buying import buy
from tests.access.disclosed import ask, confirm
from tests.access.logs import a_read
from tests.access.parties import ADMIN, FACTORY, access
from tests.access.test_read_log import record
from tests.support.services import Running

READS: Sort = (("recorded_ms", -1), ("_id", -1), ("number", -1))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with something in every list."""
    async with access(tmp_path) as running:
        await ask(running)
        await confirm(running)
        await buy(running)
        await running.post("/api/v1/grants", FACTORY, {"factory_id": "f1", "buyer_id": "b1", "purpose": "review"})
        await record(running, "batch", a_read())
        yield running


@pytest.mark.parametrize("epoch", ["2", None, 2.5])
@pytest.mark.parametrize(("path", "caller"), [("/api/v1/grants", FACTORY), ("/api/v1/purchases", ADMIN)])
async def test_a_list_goes_on_behind_an_epoch_and_nothing_else(
    service: Running, path: str, caller: Principal, epoch: object
) -> None:
    assert (await service.get(path, caller)).json()["items"]
    cursor = cursor_of({"_id": "g1", "epoch": epoch}, NEWEST_FIRST)
    answer = await service.get(f"{path}?cursor={cursor}", caller)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "place",
    [
        {"recorded_ms": "now", "_id": "f1:000000000001", "number": 1},
        {"recorded_ms": 10**15, "_id": 1, "number": 1},
        {"recorded_ms": 10**15, "_id": "f2:000000000001", "number": "1"},
    ],
)
async def test_the_read_log_goes_on_behind_a_read_and_nothing_else(service: Running, place: Document) -> None:
    assert (await service.get("/api/v1/reads", FACTORY)).json()["items"]
    answer = await service.get(f"/api/v1/reads?cursor={cursor_of(place, READS)}", FACTORY)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
