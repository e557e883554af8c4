"""Without consent something is shown only when two persons decided it, for a while, and the factory is told."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from contracts.access import DisclosureEndedV1, DisclosureMadeV1
from contracts.identity import Principal, Role
from contracts.ledger import LedgerKey
from services.access.domain.disclosure_receipt import verified_disclosure
from tests.access.buying import code
from tests.access.disclosed import (
    BOTH,
    HEAD,
    LEADER,
    PATH,
    REASON,
    ask,
    confirm,
    end,
    notices,
    on_the_ledger,
    refuse,
    state,
)
from tests.access.parties import ADVISOR, BUYER, FACTORY, OTHER_FACTORY, access
from tests.support.services import LEDGER_KEY, Running, a_principal, signed

ANALYST = a_principal(Role.ANALYST)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


@pytest.mark.parametrize("path", [PATH, f"{PATH}/d1", f"{PATH}/d1/receipt", "/api/v1/notices"])
async def test_nobody_is_answered_without_a_principal(service: Running, path: str) -> None:
    assert (await service.http.get(path)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("POST", PATH, ADVISOR, 403),
        ("POST", PATH, FACTORY, 403),
        ("POST", PATH, BUYER, 403),
        ("GET", PATH, ADVISOR, 403),
        ("GET", PATH, ANALYST, 403),
        ("GET", f"{PATH}/d1", BUYER, 404),
        ("POST", f"{PATH}/d1/confirmation", LEADER, 404),
        ("POST", f"{PATH}/d1/confirmation", FACTORY, 404),
        ("POST", f"{PATH}/d1/refusal", LEADER, 404),
        ("DELETE", f"{PATH}/d1", BUYER, 404),
    ],
)
async def test_a_role_that_may_not_is_refused(
    service: Running, method: str, path: str, caller: Principal, status: int
) -> None:
    await ask(service)
    answer = await service.http.request(method, path, headers=signed(caller), json={"reason": "r"})
    assert answer.status_code == status


async def test_what_one_person_asks_for_shows_nothing(service: Running) -> None:
    answer = await ask(service)
    assert (answer.status_code, answer.json()["state"]) == (201, "pending")
    assert await on_the_ledger(service) == []


async def test_what_two_persons_decided_is_on_the_ledger_once_for_each_buyer(service: Running) -> None:
    await ask(service, buyer_ids=["b2", "b1"], cycles=[3, 2])
    answer = await confirm(service)
    assert (answer.status_code, answer.json()["state"]) == (201, "in_force")
    assert (await confirm(service)).json() == answer.json()
    assert await on_the_ledger(service) == [("disclosure_made", "b1"), ("disclosure_made", "b2")]
    events = await service.until_announced(DisclosureMadeV1, 2)
    assert {(event.disclosure_id, event.buyer_id, event.cycles) for event in events} == {
        ("d1", "b1", (2, 3)),
        ("d1", "b2", (2, 3)),
    }


@pytest.mark.parametrize("caller", [BOTH, a_principal(Role.ADMINISTRATOR, subject="lena")])
async def test_nobody_decides_on_what_it_asked_for_whatever_its_roles(service: Running, caller: Principal) -> None:
    await ask(service)
    assert code(await confirm(service, caller)) == (409, "second_person_needed")
    assert code(await refuse(service, caller)) == (409, "second_person_needed")
    assert await state(service) == "pending"
    assert await on_the_ledger(service) == []


async def test_what_was_refused_stays_refused(service: Running) -> None:
    await ask(service)
    assert (await refuse(service)).json()["state"] == "refused"
    assert code(await confirm(service)) == (409, "disclosure_decided")
    assert (await refuse(service)).status_code == 201
    assert await on_the_ledger(service) == []


async def test_what_was_confirmed_cannot_be_refused(service: Running) -> None:
    await ask(service)
    await confirm(service)
    assert code(await refuse(service)) == (409, "disclosure_decided")


async def test_what_waits_can_be_withdrawn(service: Running) -> None:
    await ask(service)
    assert (await end(service)).status_code == 204
    assert await state(service) == "withdrawn"
    assert code(await confirm(service)) == (409, "disclosure_decided")


async def test_one_person_ends_what_two_decided(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"])
    await confirm(service)
    assert (await end(service)).status_code == 204
    assert (await end(service)).status_code == 204
    assert await state(service) == "ended"
    kinds = [kind for kind, _ in await on_the_ledger(service)]
    assert kinds == ["disclosure_made"] * 2 + ["disclosure_ended"] * 2
    assert len(await service.until_announced(DisclosureEndedV1, 2)) == 2


async def test_a_confirmation_again_after_the_end_shows_nothing_again(service: Running) -> None:
    await ask(service)
    await confirm(service)
    await end(service)
    assert (await confirm(service)).json()["state"] == "ended"
    assert [kind for kind, _ in await on_the_ledger(service)] == ["disclosure_made", "disclosure_ended"]


async def test_a_factory_cannot_take_it_back(service: Running) -> None:
    await ask(service)
    await confirm(service)
    assert code(await end(service, FACTORY)) == (409, "disclosure_stands")
    assert code(await end(service, OTHER_FACTORY)) == (404, "not_found")
    (record,) = await service.until_announced(DisclosureMadeV1)
    grant = await service.http.delete(f"/api/v1/grants/{record.record_id}", headers=signed(FACTORY))
    assert grant.status_code == 404
    assert await state(service) == "in_force"


async def test_a_factory_learns_of_it_once_it_was_confirmed_and_never_who_decided(service: Running) -> None:
    await ask(service)
    assert (await service.get(f"{PATH}/d1", FACTORY)).status_code == 404
    assert (await service.get(PATH, FACTORY)).json()["items"] == []
    await confirm(service)
    answer = await service.get(f"{PATH}/d1", FACTORY)
    found = answer.json()
    assert (found["reason"], found["requested_as"], found["decided_as"]) == (REASON, "team_leader", "administrator")
    for secret in ("lena", "amir", "ZT-7"):
        assert secret not in answer.text
        assert secret in (await service.get(f"{PATH}/d1", HEAD)).text
    assert len((await service.get(PATH, FACTORY)).json()["items"]) == 1
    assert (await service.get(PATH, OTHER_FACTORY)).json()["items"] == []
    assert (await service.get(f"{PATH}/d1", OTHER_FACTORY)).status_code == 404


def days(number: int) -> str:
    return (date.today() + timedelta(days=number)).isoformat()  # noqa: DTZ011 - days from the limit anywhere


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"factory_id": "nowhere"}, 404),
        ({"buyer_ids": ["b1", "nobody"]}, 404),
        ({"buyer_ids": []}, 400),
        ({"kinds": []}, 400),
        ({"kinds": ["assessment", "quality_productivity"]}, 400),
        ({"cycles": [0]}, 400),
        ({"ends_on": days(92)}, 400),
        ({"ends_on": days(-2)}, 400),
        ({"ends_on": None}, 400),
        ({"case": ""}, 400),
        ({"reason": "Too short"}, 400),
        ({"reason": "short" + " " * 30}, 400),
        ({"reason": "r" * 501}, 400),
    ],
)
async def test_a_disclosure_that_must_not_be_is_refused(
    service: Running, fields: dict[str, object], status: int
) -> None:
    assert (await ask(service, LEADER, **fields)).status_code == status
    assert (await service.get(PATH, HEAD)).json()["items"] == []


async def test_asking_again_changes_nothing_and_another_person_s_id_is_taken(service: Running) -> None:
    first = await ask(service)
    assert (await ask(service)).json() == first.json()
    assert (await ask(service, HEAD)).status_code == 409
    assert (await ask(service, case="ZT-8")).status_code == 409


async def test_disclosures_come_in_pages_newest_first(service: Running) -> None:
    for number in range(3):
        await ask(service, id=f"d{number}", factory_id=f"f{1 + number % 2}")
    page = (await service.get(f"{PATH}?limit=2", HEAD)).json()
    rest = (await service.get(f"{PATH}?cursor={page['next_cursor']}", HEAD)).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == ["d2", "d1", "d0"]
    assert [item["id"] for item in (await service.get(f"{PATH}?factory_id=f2", HEAD)).json()["items"]] == ["d1"]


async def test_a_factory_is_told_what_was_shown_to_whom_and_why_but_no_name(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"], cycles=[2])
    assert await notices(service) == []
    await confirm(service)
    told = await notices(service)
    assert [(each["kind"], each["buyer_id"], each["record_id"]) for each in told] == [
        ("disclosure_made", "b2", "d1"),
        ("disclosure_made", "b1", "d1"),
    ]
    assert (told[0]["reason"], told[0]["cycles"], told[0]["kinds"]) == (REASON, [2], ["assessment"])
    assert (told[0]["requested_as"], told[0]["confirmed_as"]) == ("team_leader", "administrator")
    for secret in ("lena", "amir", "ZT-7"):
        assert secret not in str(told)
    assert await notices(service, OTHER_FACTORY) == []
    await end(service)
    assert [each["kind"] for each in await notices(service)][:2] == ["disclosure_ended"] * 2


async def test_a_notice_is_unread_until_the_factory_reads_it(service: Running, tmp_path: Path) -> None:
    await ask(service, buyer_ids=["b1", "b2"])
    await confirm(service)
    newest, older = await notices(service)
    path = f"/api/v1/notices/{newest['id']}/reading"
    assert (await service.post(path, OTHER_FACTORY)).status_code == 404
    first = await service.post(path, FACTORY)
    assert first.json()["read_at"] is not None
    assert (await service.post(path, FACTORY)).json() == first.json()
    assert await notices(service, query="?unread=true") == [older]
    async with access(tmp_path, is_new=False) as again:
        assert await notices(again, query="?unread=true") == [older]


async def test_notices_come_in_pages_newest_first(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"])
    await confirm(service)
    await end(service)
    whole = await notices(service)
    page = (await service.get("/api/v1/notices?limit=3", FACTORY)).json()
    rest = (await service.get(f"/api/v1/notices?limit=3&cursor={page['next_cursor']}", FACTORY)).json()
    assert page["items"] + rest["items"] == whole
    assert (len(whole), rest["next_cursor"]) == (4, None)
    assert (await service.get("/api/v1/notices?cursor=x", FACTORY)).status_code == 400


@pytest.mark.parametrize("notice_id", ["notice-000000000001", "notice-000000000099", "notice-3", "nothing"])
async def test_what_is_no_notice_cannot_be_read(service: Running, notice_id: str) -> None:
    await ask(service)
    await confirm(service)
    assert (await service.post(f"/api/v1/notices/{notice_id}/reading", FACTORY)).status_code == 404


async def test_what_was_disclosed_stands_after_a_restart(service: Running, tmp_path: Path) -> None:
    await ask(service)
    await confirm(service)
    before = await notices(service)
    async with access(tmp_path, is_new=False) as again:
        assert await on_the_ledger(again) == [("disclosure_made", "b1")]
        assert (await notices(again), await state(again)) == (before, "in_force")
        assert (await end(again)).status_code == 204


async def test_a_receipt_for_the_factory_and_the_programme_is_there_once_it_was_confirmed(service: Running) -> None:
    await ask(service, buyer_ids=["b1", "b2"])
    assert (await service.get(f"{PATH}/d1/receipt", HEAD)).status_code == 404
    await confirm(service)
    answer = await service.get(f"{PATH}/d1/receipt", FACTORY)
    found = verified_disclosure(answer.content, anchor=LedgerKey(LEDGER_KEY).id)
    assert (found.record_id, found.buyer_ids, found.reason) == ("d1", ("b1", "b2"), REASON)
    for secret in ("lena", "amir", "ZT-7"):
        assert secret not in answer.text
        assert secret in (await service.get(f"{PATH}/d1/receipt", HEAD)).text
    assert (await service.get(f"{PATH}/d1/receipt", FACTORY)).content == answer.content
    for stranger in (OTHER_FACTORY, ADVISOR):
        assert (await service.get(f"{PATH}/d1/receipt", stranger)).status_code == 404
