"""Which factories a group has is on the ledger, as the factories say it, and what it lost no gateway shows any more."""

import asyncio
import functools
import random
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.access import ConsentAnswer, ConsentEntry
from contracts.errors import NotFound
from contracts.identity import Role
from contracts.ledger import LedgerKey
from contracts.visibility import Fold
from services.access.domain.consent.entry import followed
from services.access.domain.consent.facts import GroupJoined, GroupLeft
from services.access.domain.party import Because, Factory
from services.access.store.charge import Charge
from services.access.store.ledger import Keys, Ledger
from services.access.store.parties import Factories
from services.access.usecases import grants
from services.access.usecases.consent import Consent
from services.access.usecases.groups import Grouping
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.identity import new_signing_key
from services.runtime.unavailable import StoreUnavailable
from tests.access.entries import a_grant as granted
from tests.access.parties import ADMIN, GATEWAY, LEASE_S, access
from tests.access.processes import Process, started
from tests.support.eventually import eventually
from tests.support.services import LEDGER_KEY, Running, a_principal, signed

F1, F2 = "/api/v1/factories/f1", "/api/v1/factories/f2"
NOW = datetime(2026, 3, 10, tzinfo=UTC)
BOUGHT = Because(reason="Bought", on=NOW.date(), by="somebody", at=NOW)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access with two groups, of which the first has a factory."""
    async with access(tmp_path) as running:
        await with_groups(running)
        assert (await patch(running, group_id="g1")).status_code == 200
        yield running


async def with_groups(running: Running) -> None:
    for group_id in ("g1", "g2"):
        body = {"id": group_id, "kind": "group", "name": group_id}
        assert (await running.post("/api/v1/organisations", ADMIN, body)).status_code == 201


async def patch(service: Running, path: str = F1, **fields: object) -> httpx.Response:
    return await service.http.patch(path, headers=signed(ADMIN), json={"reason": "Bought", **fields})


async def follow(service: Running) -> ConsentAnswer:
    answer = await service.get("/internal/consent?gateway=gw", GATEWAY)
    return msgspec.json.decode(answer.content, type=ConsentAnswer)


async def owned(service: Running) -> dict[str, frozenset[str]]:
    """What a gateway makes of the ledger."""
    fold = Fold()
    for entry in (await follow(service)).entries:
        fold.apply(entry)
    return {group_id: fold.owned(group_id) for group_id in ("g1", "g2")}


async def kinds(service: Running) -> list[str]:
    """What the ledger says about groups, oldest first."""
    return about_groups((await follow(service)).entries)


def about_groups(entries: Iterable[ConsentEntry]) -> list[str]:
    return [f"{each.kind} {each.factory_id} {each.group_id}" for each in entries if each.group_id]


def factories_of(service: Running) -> Factories:
    """The factories behind the back of access, as an earlier release or a crash leaves them."""
    return Factories(service.service.ports.documents, source="JO/access", relay=service.service.relay)


async def belongs(service: Running, factory_id: str, group_id: str) -> None:
    """A factory belongs to a group, and the ledger is told nothing."""
    change = {"group_id": group_id}
    await factories_of(service).change(factory_id, lambda factory: factory.changed(change, BOUGHT))


async def test_a_factory_that_moves_leaves_before_it_joins(service: Running) -> None:
    assert (await patch(service, group_id="g2")).json()["group_id"] == "g2"
    assert await kinds(service) == ["group_joined f1 g1", "group_left f1 g1", "group_joined f1 g2"]
    assert await owned(service) == {"g1": set(), "g2": {"f1"}}


async def test_the_same_again_and_what_is_of_no_group_say_nothing_more(service: Running) -> None:
    for fields in ({"group_id": "g1"}, {"name": "Renamed"}, {"group_id": "g1", "owner_may_grant": True}):
        assert (await patch(service, **fields)).status_code == 200
    assert (await patch(service, F2, group_id="")).status_code == 200
    assert await kinds(service) == ["group_joined f1 g1"]


async def test_a_group_grants_nothing_of_a_factory_that_left_while_it_asked(tmp_path: Path) -> None:
    async with started(Process(SqliteDocuments(tmp_path / "access.sqlite"))) as (process,):
        put = functools.partial(
            grants.put, process.ledger, process.parties, by="somebody", now=NOW, today=NOW.date(), group_id="g1"
        )
        await process.ledger.append(lambda _: GroupJoined(factory_id="f1", group_id="g1"), by="somebody", at=NOW)
        given = await put(granted("before"))
        await process.ledger.append(lambda _: GroupLeft(factory_id="f1", group_id="g1"), by="somebody", at=NOW)
        with pytest.raises(NotFound):
            await put(granted("after"))
        assert await put(granted("before")) == given


async def test_leaving_a_group_waits_for_a_silent_gateway_until_its_lease_ran_out(service: Running) -> None:
    await asyncio.sleep(LEASE_S)
    await follow(service)
    await follow(service)
    began = time.monotonic()
    assert (await patch(service, group_id="")).status_code == 200
    assert LEASE_S * 0.8 < time.monotonic() - began < LEASE_S * 2


async def test_leaving_again_waits_alike(service: Running) -> None:
    assert (await patch(service, group_id="")).status_code == 200
    await follow(service)
    began = time.monotonic()
    assert (await patch(service, group_id="")).status_code == 200
    assert time.monotonic() - began > LEASE_S * 0.8


async def test_who_asked_and_left_has_moved_the_factory_all_the_same(service: Running) -> None:
    await follow(service)
    asking = asyncio.create_task(patch(service, group_id="g2"))

    async def is_told() -> bool:
        return (await owned(service))["g2"] == {"f1"}

    async def has_left() -> bool:
        return (await owned(service))["g1"] == set()

    await eventually(has_left, saying="the factory left its group")
    asking.cancel()
    await eventually(is_told, saying="the ledger tells the new group")
    assert (await service.get(F1, ADMIN)).json()["group_id"] == "g2"


async def test_a_change_that_is_refused_takes_no_factory_from_its_group(service: Running) -> None:
    assert (await patch(service, group_id="g2", industry="sewing")).status_code == 400
    assert (await patch(service, group_id="nowhere")).status_code == 404
    assert await kinds(service) == ["group_joined f1 g1"]


async def test_a_change_that_broke_leaves_the_factory_where_it_was(service: Running) -> None:
    documents, relay = service.service.ports.documents, service.service.relay
    keys = Keys(current=LedgerKey(LEDGER_KEY))
    ledger = Ledger(documents, keys=keys, source="JO/access", relay=relay)
    grouping = Grouping(
        factories_of(service), ledger, Consent(ledger, Charge(documents, lease_s=LEASE_S), lease_s=LEASE_S)
    )

    async def change() -> Factory:
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        await grouping.moved("f1", "g2", change, by="somebody", now=NOW)
    told = [followed(entry) async for entry in ledger.entries()]
    assert about_groups(told) == ["group_joined f1 g1", "group_left f1 g1", "group_joined f1 g1"]


async def test_without_the_key_of_the_ledger_no_factory_moves(service: Running, tmp_path: Path) -> None:
    async with access(tmp_path, is_new=False, ledger_key=new_signing_key()) as broken:
        assert (await patch(broken, group_id="g2")).status_code == 503
        assert (await broken.get(F1, ADMIN)).json()["group_id"] == "g1"
    assert await kinds(service) == ["group_joined f1 g1"]


async def test_a_start_brings_the_ledger_into_line_with_the_factories(tmp_path: Path) -> None:
    async with access(tmp_path) as before:
        await with_groups(before)
        await patch(before, F2, group_id="g1")
        await belongs(before, "f1", "g1")
        await belongs(before, "f2", "g2")
        assert await owned(before) == {"g1": {"f2"}, "g2": set()}
    for _ in range(2):
        async with access(tmp_path, is_new=False) as running:

            async def is_in_line(running: Running = running) -> bool:
                return await owned(running) == {"g1": {"f1"}, "g2": {"f2"}}

            await eventually(is_in_line, saying="the ledger in line")
            assert len(await kinds(running)) == 4


async def test_a_group_s_user_sees_what_the_ledger_says_and_not_yet_the_party(service: Running) -> None:
    await belongs(service, "f2", "g1")
    group = a_principal(Role.GROUP, party_id="g1")
    assert [item["id"] for item in (await service.get("/api/v1/factories", group)).json()["items"]] == ["f1"]


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_moves_at_once_the_ledger_says_what_the_factories_say(service: Running, seed: int) -> None:
    chance = random.Random(seed)
    moves = [patch(service, chance.choice((F1, F2)), group_id=chance.choice(("", "g1", "g2"))) for _ in range(30)]
    assert {answer.status_code for answer in await asyncio.gather(*moves)} == {200}
    said: dict[str, set[str]] = {"g1": set(), "g2": set()}
    for factory in (await service.get("/api/v1/factories", ADMIN)).json()["items"]:
        if factory["group_id"]:
            said[factory["group_id"]].add(factory["id"])
    assert await owned(service) == said
