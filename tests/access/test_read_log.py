"""The read log as gateways write it and as factories list, note and export it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.identity import Principal, Role
from contracts.ledger import LedgerKey, NotGenuine
from contracts.reads import Act, Read, ReadBatch
from services.access.domain.read_export import Verified, verified_log
from services.access.domain.reading import Head
from services.runtime.identity import new_signing_key
from services.runtime.settings import Secret
from tests.access.entries import bent_copies
from tests.access.logs import a_read
from tests.access.parties import (
    ADMIN,
    ADVISOR,
    BUYER,
    FACTORY,
    GATEWAY,
    OTHER_BUYER,
    OTHER_FACTORY,
    a_grant,
    access,
)
from tests.support.services import LEDGER_KEY, Running, a_principal

ANALYST = a_principal(Role.ANALYST)
ANCHOR = LedgerKey(LEDGER_KEY).id
LOG, HEAD = "/api/v1/factories/f1/read-log", "/api/v1/factories/f1/read-log/head"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        await running.post("/api/v1/grants", FACTORY, a_grant(purpose="Due diligence"))
        yield running


async def record(service: Running, batch_id: str, *reads: Read, by: Principal = GATEWAY) -> httpx.Response:
    batch = msgspec.to_builtins(ReadBatch(id=batch_id, reads=reads or (a_read(f"{batch_id}-1"),)))
    return await service.post("/internal/reads", by, batch)


async def listed(service: Running, caller: Principal, query: str = "") -> list[Any]:
    answer = await service.get(f"/api/v1/reads{query}", caller)
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


async def exported(service: Running, caller: Principal = FACTORY) -> list[bytes]:
    answer = await service.get(LOG, caller)
    assert answer.headers["content-type"] == "application/x-ndjson"
    return answer.content.splitlines(keepends=True)


async def verified(service: Running, **options: Any) -> Verified:
    return verified_log(await exported(service), anchor=ANCHOR, **options)


async def test_a_factory_sees_who_read_what_when_and_for_which_purpose(service: Running) -> None:
    assert (await record(service, "batch")).status_code == 204
    (read,) = await listed(service, FACTORY)
    told = msgspec.json.decode(msgspec.json.encode(a_read("batch-1")))
    assert told.pop("group_id") == ""  # it is no group's
    assert {name: read[name] for name in told} == told
    assert (read["purposes"], read["number"]) == (["Due diligence"], 1)
    assert read["recorded_at"].endswith("Z")


@pytest.mark.parametrize("caller", [ADMIN, ADVISOR, FACTORY, BUYER, ANALYST], ids=lambda who: min(who.roles))
async def test_only_a_gateway_puts_reads_on_record(service: Running, caller: Principal) -> None:
    assert (await record(service, "batch", by=caller)).status_code == 403
    assert await listed(service, ADMIN) == []


async def test_a_batch_that_comes_again_is_on_record_once(service: Running) -> None:
    reads = a_read("r1"), a_read("r2", factory_id="f2"), a_read("r3")
    for _ in range(3):
        assert (await record(service, "batch", *reads)).status_code == 204
    assert [read["id"] for read in await listed(service, FACTORY)] == ["r3", "r1"]
    assert [read["id"] for read in await listed(service, OTHER_FACTORY)] == ["r2"]


@pytest.mark.parametrize(
    "change",
    [
        {"factory_id": "f1:1"},
        {"act": "seen"},
        {"documents": ["../etc"]},
        {"at": "yesterday"},
        {"name": "x" * 1000},
        {"kinds": ["everything"]},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_read_that_is_none_is_not_taken(service: Running, change: dict[str, object]) -> None:
    read = {**msgspec.to_builtins(a_read()), **change}
    answer = await service.post("/internal/reads", GATEWAY, {"id": "batch", "reads": [read]})
    assert answer.status_code == 400
    assert await listed(service, ADMIN) == []


@pytest.mark.parametrize("batch", [{"id": "b", "reads": []}, {"reads": []}, {}, []])
async def test_a_batch_without_reads_is_not_taken(service: Running, batch: object) -> None:
    assert (await service.post("/internal/reads", GATEWAY, batch)).status_code == 400


async def test_a_factory_sees_its_own_log_and_an_administrator_every_one(service: Running) -> None:
    await record(service, "one", a_read("r1"))
    await record(service, "two", a_read("r2", factory_id="f2", buyer_id="b2"))
    assert [read["id"] for read in await listed(service, FACTORY)] == ["r1"]
    assert [read["id"] for read in await listed(service, FACTORY, "?factory_id=f2")] == []
    assert [read["id"] for read in await listed(service, ADMIN)] == ["r2", "r1"]
    assert [read["id"] for read in await listed(service, ADMIN, "?buyer_id=b2")] == ["r2"]
    assert [read["id"] for read in await listed(service, ADMIN, "?factory_id=f1&buyer_id=b2")] == []


@pytest.mark.parametrize("caller", [ADVISOR, ANALYST, BUYER, OTHER_BUYER, GATEWAY], ids=lambda who: min(who.roles))
async def test_nobody_else_sees_it(service: Running, caller: Principal) -> None:
    await record(service, "one")
    assert (await service.get("/api/v1/reads", caller)).status_code == 403
    for path in (LOG, HEAD):
        assert (await service.get(path, caller)).status_code == 404


async def test_the_log_of_another_factory_is_not_found(service: Running) -> None:
    for path in (LOG, HEAD):
        assert (await service.get(path, OTHER_FACTORY)).status_code == 404
        assert (await service.get(path.replace("f1", "f9"), ADMIN)).status_code == 404
        assert (await service.get(path, ADMIN)).status_code == 200


async def test_a_walk_through_pages_shows_every_read_once(service: Running) -> None:
    for number in range(5):
        await record(service, f"b{number}", a_read(f"r{number}-1"), a_read(f"r{number}-2"))
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await service.get(f"/api/v1/reads?limit=3{cursor}", FACTORY)).json()
        seen += [read["id"] for read in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == [f"r{number}-{half}" for number in range(4, -1, -1) for half in (2, 1)]


@pytest.mark.parametrize(
    ("query", "seen"),
    [("?since=2020-01-01T00:00:00Z", 1), ("?until=2020-01-01T00:00:00Z", 0), ("?since=2999-01-01T00:00:00Z", 0)],
)
async def test_moments_bound_the_list(service: Running, query: str, seen: int) -> None:
    await record(service, "one")
    assert len(await listed(service, FACTORY, query)) == seen


@pytest.mark.parametrize("query", ["?since=2020-01-01T00:00:00", "?until=yesterday", "?cursor=x", "?limit=0"])
async def test_a_question_that_makes_no_sense_is_refused(service: Running, query: str) -> None:
    assert (await service.get(f"/api/v1/reads{query}", FACTORY)).status_code == 400


async def test_the_export_verifies_against_the_anchor_and_every_head_that_was_noted(service: Running) -> None:
    heads = [msgspec.convert((await service.get(HEAD, FACTORY)).json(), Head)]
    for number in range(3):
        await record(service, f"b{number}", a_read(f"r{number}"), a_read(f"r{number}-2", act=Act.CONFIRMED))
        heads.append(msgspec.convert((await service.get(HEAD, FACTORY)).json(), Head))
    assert [(head.pages, head.reads) for head in heads] == [(0, 0), (1, 2), (2, 4), (3, 6)]
    for head in heads:
        found = await verified(service, earlier=head)
        assert (found.head.pages, found.head.hash, found.keys) == (3, heads[-1].hash, 1)


async def test_an_export_of_many_pages_is_whole(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.access.store.reads.PAGES", 3)
    for number in range(8):
        await record(service, f"b{number}")
    assert (await verified(service)).head.reads == 8


@pytest.mark.timeout(180)
async def test_a_change_of_any_byte_of_an_export_is_rejected(service: Running) -> None:
    await record(service, "b1", a_read("r1"), a_read("r2", name="Näherin 東"))
    await record(service, "b2")
    content = b"".join(await exported(service))
    verified_log(content.splitlines(keepends=True), anchor=ANCHOR)
    for where, bent in bent_copies(content):
        with pytest.raises(NotGenuine):
            pytest.fail(f"{where}: {verified_log(bent.splitlines(keepends=True))}")


async def test_a_log_goes_on_under_the_next_key_and_still_verifies_from_its_beginning(
    service: Running, tmp_path: Path
) -> None:
    old, new = Secret(LEDGER_KEY), Secret(new_signing_key())
    await record(service, "b1", a_read("r1"))
    early = msgspec.convert((await service.get(HEAD, FACTORY)).json(), Head)
    async with access(tmp_path, is_new=False, ledger_key=new, ledger_previous_key=old) as rotated:
        await record(rotated, "b1", a_read("r1"))
        assert (await record(rotated, "b2", a_read("r2"))).status_code == 204
        found = await verified(rotated, earlier=early)
        assert (found.keys, found.head.reads, found.head.key_id) == (2, 2, LedgerKey(new).id)
        refused = await record(service, "b3", a_read("r3"))
        assert (refused.status_code, refused.json()["code"]) == (503, "ledger_key_wrong")
        assert (await verified(rotated)).head.reads == 2


async def test_a_token_is_nowhere_in_the_log(service: Running) -> None:
    await record(service, "one")
    content = b"".join(await exported(service)) + (await service.get("/api/v1/reads", FACTORY)).content
    assert b"Bearer" not in content
    assert b"eyJ" not in content


async def test_what_a_group_read_is_told_as_the_group_s_and_the_log_verifies(service: Running) -> None:
    await record(service, "buyer", a_read("r1"))
    await record(service, "group", a_read("r2", buyer_id="", group_id="g9", grounds=()))
    newest, oldest = await listed(service, FACTORY)
    assert (newest["buyer_id"], newest["group_id"], newest["purposes"]) == ("", "g9", [])
    assert "group_id" not in oldest  # what was written before there were such reads keeps its hash
    assert [read["id"] for read in await listed(service, FACTORY, "?buyer_id=b1")] == ["r1"]
    assert (await verified(service)).head.reads == 2
