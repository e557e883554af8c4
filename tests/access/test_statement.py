"""The statement of credits adds up, for finance and for the buyer, and says what the ledger says."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identity import Role
from services.access.domain.credits import Movement, Turn
from services.access.domain.verification import Line, verified_ledger
from services.access.queries.entitlements import OLDEST_FIRST, Asked, between
from services.runtime.documents import cursor_of
from tests.access.buying import buy, code, end, left, spend, statement
from tests.access.parties import ADMIN, BUYER, FACTORY, OTHER_BUYER, a_grant, access
from tests.support.services import Running, a_principal


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access where b1 has bought two credits, and f1 shares with it."""
    async with access(tmp_path) as running:
        await buy(running)
        await running.post("/api/v1/grants", FACTORY, a_grant())
        yield running


async def test_everybody_sees_the_purchases_and_lines_in_scope(service: Running) -> None:
    await buy(service, 1, "I-1", buyer_id="b2")
    for caller, seen in ((ADMIN, {"b1", "b2"}), (BUYER, {"b1"}), (OTHER_BUYER, {"b2"})):
        for path in ("/api/v1/purchases", "/api/v1/statement"):
            assert {item["buyer_id"] for item in (await service.get(path, caller)).json()["items"]} == seen
    assert (await service.get("/api/v1/purchases?buyer_id=b2", BUYER)).json()["items"] == []
    assert (await service.get("/api/v1/statement?buyer_id=b2", BUYER)).status_code == 404


@pytest.mark.parametrize("query", ["", "?buyer_id=b1"])
async def test_who_speaks_for_no_buyer_has_no_statement(service: Running, query: str) -> None:
    nobody = a_principal(Role.BUYER, party_id=None)
    assert (await service.get(f"/api/v1/statement{query}", nobody)).status_code == 404
    for path in ("/api/v1/purchases", "/api/v1/entitlements", "/api/v1/grants"):
        assert (await service.get(f"{path}{query}", nobody)).json()["items"] == []


async def test_a_statement_runs_from_one_balance_to_the_other(service: Running) -> None:
    entitlement = (await spend(service, 4)).json()
    await end(service, entitlement["id"], "&return_credit=true")
    await buy(service, -1, "C-1")
    found = await statement(service, ADMIN, "?buyer_id=b1")
    assert (found["opening_balance"], found["closing_balance"]) == (0, 1)
    told = [(line["turn"], line["credits"], line["balance"], line["reference"]) for line in found["items"]]
    assert told == [
        ("bought", 2, 2, "I-1"),
        ("spent", -1, 1, ""),
        ("returned", 1, 2, "Wrong factory"),
        ("corrected", -1, 1, "C-1"),
    ]
    assert [(line["factory_id"], line["cycle"]) for line in found["items"]][1] == ("f1", 4)


async def test_a_statement_of_other_days_begins_where_the_days_before_ended(service: Running) -> None:
    assert (await statement(service, query="?since=2099-01-01"))["opening_balance"] == 2
    before = await statement(service, query="?until=2020-01-01")
    assert (before["opening_balance"], before["closing_balance"], before["items"]) == (0, 0, [])


NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAYS = st.none() | st.dates(date(2026, 3, 5), date(2026, 3, 15))


def a_movement(epoch: int, credits_: int, hours: int) -> Movement:
    at = NOON + timedelta(hours=hours)
    return Movement(
        epoch=epoch, at=at, turn=Turn.BOUGHT, buyer_id="b1", record_id=f"p{epoch}", credits=credits_, by="someone"
    )


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-100, 100)), max_size=12), DAYS, DAYS)
def test_whatever_days_are_asked_for_the_lines_lead_from_the_opening_to_the_closing_balance(
    moves: list[tuple[int, int]], since: date | None, until: date | None
) -> None:
    zone = ZoneInfo("Asia/Amman")
    moved = [a_movement(epoch, credits_, hours) for epoch, (credits_, hours) in enumerate(moves, start=1)]
    opening, lines = between(moved, Asked(since=since, until=until), zone)
    balances = [opening, *(balance for _, _, balance in lines)]
    assert [after - before for before, after in itertools.pairwise(balances)] == [each.credits for each, _, _ in lines]
    days = {each.epoch: each.at.astimezone(zone).date() for each in moved}
    assert opening == sum(each.credits for each in moved if since is not None and days[each.epoch] < since)
    if since is None or until is None or since <= until:
        assert balances[-1] == sum(each.credits for each in moved if until is None or days[each.epoch] <= until)


async def test_a_statement_comes_in_pages_with_the_balances_of_the_whole(service: Running) -> None:
    await spend(service)
    first = await statement(service, query="?limit=1")
    second = await statement(service, query=f"?limit=1&cursor={first['next_cursor']}")
    assert [line["turn"] for line in first["items"] + second["items"]] == ["bought", "spent"]
    assert (first["closing_balance"], second["closing_balance"], second["next_cursor"]) == (1, 1, None)
    assert second["items"][0]["balance"] == 1
    assert (await service.get("/api/v1/statement?cursor=nonsense", BUYER)).status_code == 400


async def test_a_statement_names_persons_to_administrators_only(service: Running) -> None:
    await spend(service)
    assert {line["person"] for line in (await statement(service))["items"]} == {""}
    assert {line["person"] for line in (await statement(service, ADMIN))["items"]} == {"someone"}


async def test_credits_are_those_of_the_exported_ledger(service: Running) -> None:
    entitlement = (await spend(service)).json()
    await spend(service, 2)
    await end(service, entitlement["id"], "&return_credit=true")
    await buy(service, -1, "C-1")
    lines = (await service.get("/api/v1/consent-ledger", ADMIN)).content.splitlines(keepends=True)
    verified_ledger(lines)
    entries = [msgspec.json.decode(line, type=Line).entry for line in lines]
    signs = {"credits_bought": 1, "entitlement_given": -1, "entitlement_ended": 1}
    assert sum(signs.get(entry.kind, 0) * entry.credits for entry in entries) == await left(service) == 0


async def test_credits_are_there_after_a_restart(service: Running, tmp_path: Path) -> None:
    await spend(service)
    before = await statement(service)
    async with access(tmp_path, is_new=False) as again:
        assert await statement(again) == before
        assert (await spend(again, 2)).status_code == 201
        assert code(await spend(again, 3)) == (409, "no_credit")


@pytest.mark.parametrize("epoch", ["text", None, 1.5])
async def test_a_cursor_that_somebody_made_up_is_refused(service: Running, epoch: object) -> None:
    made_up = cursor_of({"_id": "x", "epoch": epoch}, OLDEST_FIRST)
    assert code(await service.get(f"/api/v1/statement?cursor={made_up}", BUYER)) == (400, "invalid_cursor")
