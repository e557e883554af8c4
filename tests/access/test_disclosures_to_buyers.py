"""A buyer sees what was disclosed to it, of itself alone, and only while it may read what was disclosed."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from contracts.identity import Principal
from contracts.ledger import LedgerKey
from services.access.domain.disclosure_receipt import verified_disclosure
from tests.access.buying import code
from tests.access.disclosed import HEAD, PATH, REASON, ask, confirm, end, refuse
from tests.access.parties import ADMIN, BUYER, OTHER_BUYER, access
from tests.support.services import LEDGER_KEY, Running, signed

NOT_FOR_BUYERS = ("lena", "amir", "ZT-7", REASON, "team_leader", "administrator", '"b2"')


class InThreeMonths(datetime):
    """A clock that is ahead by more than a disclosure lasts."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=92)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def told(service: Running, caller: Principal = BUYER, query: str = "") -> Any:
    return (await service.get(f"{PATH}{query}", caller)).json()


async def ids(service: Running, caller: Principal = BUYER, query: str = "") -> list[str]:
    return [each["id"] for each in (await told(service, caller, query))["items"]]


async def test_a_buyer_sees_what_was_disclosed_to_it_and_nobody_else_s(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"], cycles=[2])
    await confirm(service)
    await ask(service, id="d2", buyer_ids=["b2"])
    await confirm(service, disclosure_id="d2")
    (seen,) = (await told(service))["items"]
    assert (seen["id"], seen["factory_id"], seen["buyer_ids"], seen["state"]) == ("d1", "f1", ["b1"], "in_force")
    assert (seen["kinds"], seen["cycles"]) == (["assessment"], [2])
    assert (await service.get(f"{PATH}/d1", BUYER)).json() == seen
    assert (await service.get(f"{PATH}/d2", BUYER)).status_code == 404
    assert await ids(service, OTHER_BUYER) == ["d2", "d1"]


async def test_a_buyer_learns_neither_why_nor_who_decided_nor_who_else_sees_it(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"])
    await confirm(service)
    for path in (PATH, f"{PATH}/d1", f"{PATH}/d1/receipt"):
        text = (await service.get(path, BUYER)).text
        assert "d1" in text
        assert not [secret for secret in NOT_FOR_BUYERS if secret in text]


async def test_a_buyer_sees_nothing_of_what_only_one_person_asked_for(service: Running) -> None:
    await ask(service)
    await ask(service, id="d2")
    await service.post(f"{PATH}/d2/refusal", HEAD, {"reason": "Not a case"})
    assert await ids(service) == []
    for disclosure_id in ("d1", "d2"):
        assert (await service.get(f"{PATH}/{disclosure_id}", BUYER)).status_code == 404


async def gone(service: Running) -> None:
    assert await ids(service) == []
    for path in (f"{PATH}/d1", f"{PATH}/d1/receipt"):
        assert code(await service.get(path, BUYER)) == (404, "not_found")


async def test_what_has_ended_is_gone_for_the_buyer_like_the_documents(service: Running) -> None:
    await ask(service)
    await confirm(service)
    await end(service)
    await gone(service)


async def test_a_closed_buyer_sees_no_disclosure_either(service: Running) -> None:
    await ask(service)
    await confirm(service)
    closing = {"status": "closed", "reason": "Left the programme"}
    assert (await service.post("/api/v1/buyers/b1/status", ADMIN, closing)).status_code == 201
    await gone(service)


async def test_a_disclosure_is_gone_for_the_buyer_after_its_last_day(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(service)
    await confirm(service)
    monkeypatch.setattr("services.access.api.disclosures.datetime", InThreeMonths)
    await gone(service)


async def test_a_buyer_neither_asks_for_nor_decides_on_nor_ends_a_disclosure(service: Running) -> None:
    await ask(service)
    await confirm(service)
    assert (await ask(service, BUYER)).status_code == 403
    assert (await confirm(service, BUYER)).status_code == 404
    assert (await refuse(service, BUYER)).status_code == 404
    assert (await service.http.delete(f"{PATH}/d1", headers=signed(BUYER))).status_code == 404
    assert await ids(service) == ["d1"]


async def test_a_buyer_s_disclosures_come_in_pages_newest_first_and_by_factory(service: Running) -> None:
    for number in range(3):
        await ask(service, id=f"d{number}", factory_id=f"f{1 + number % 2}")
        await confirm(service, disclosure_id=f"d{number}")
    page = await told(service, query="?limit=2")
    rest = await told(service, query=f"?limit=2&cursor={page['next_cursor']}")
    assert [each["id"] for each in page["items"] + rest["items"]] == ["d2", "d1", "d0"]
    assert rest["next_cursor"] is None
    assert await ids(service, query="?factory_id=f2") == ["d1"]
    assert code(await service.get(f"{PATH}?cursor=x", BUYER)) == (400, "invalid_cursor")


async def test_a_buyer_s_receipt_proves_what_was_disclosed_to_it(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"], cycles=[2])
    await confirm(service)
    answer = await service.get(f"{PATH}/d1/receipt", BUYER)
    found = verified_disclosure(answer.content, anchor=LedgerKey(LEDGER_KEY).id)
    assert (found.record_id, found.buyer_ids, found.cycles) == ("d1", ("b1",), (2,))
    assert (found.reason, found.requested_as, found.confirmed_as) == ("", "", "")
