"""Receipts and the exported ledger as people get them, and the rotation of the key that signs them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.identity import Principal
from contracts.ledger import Chain, LedgerKey
from services.access.app import make_process
from services.access.domain.receipt import verified_receipt
from services.access.domain.verification import verified_ledger
from services.runtime.bus import RetryPolicy
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.files.directory import DirectoryFiles
from services.runtime.identity import new_signing_key
from services.runtime.service import Ports
from services.runtime.settings import InvalidSettings, Secret, Settings
from tests.access.parties import ADMIN, BUYER, FACTORY, GATEWAY, OTHER_BUYER, OTHER_FACTORY, a_grant, access
from tests.support.services import LEDGER_KEY, Running, settings_for, signed

OLD, NEW, NEWEST = Secret(LEDGER_KEY), Secret(new_signing_key()), Secret(new_signing_key())
ANCHOR = LedgerKey(LEDGER_KEY).id


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        person = {"name": "Rana", "role": "owner"}
        await running.post("/api/v1/grants", FACTORY, a_grant(purpose="Due diligence", approved_by=person))
        yield running


async def receipt(service: Running, caller: Principal) -> bytes:
    answer = await service.get("/api/v1/grants/g1/receipt", caller)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.content


async def exported(service: Running) -> list[bytes]:
    answer = await service.get("/api/v1/consent-ledger", ADMIN)
    assert answer.headers["content-type"] == "application/x-ndjson"
    return answer.content.splitlines(keepends=True)


async def head(service: Running) -> Chain:
    return verified_ledger(await exported(service), anchor=ANCHOR)


async def revoke(service: Running) -> None:
    assert (await service.http.delete("/api/v1/grants/g1", headers=signed(FACTORY))).status_code == 204


@pytest.mark.parametrize("caller", [ADMIN, FACTORY, BUYER], ids=["administrator", "factory", "buyer"])
async def test_a_party_gets_a_receipt_that_verifies_and_stays_the_same(service: Running, caller: Principal) -> None:
    content = await receipt(service, caller)
    found = verified_receipt(content, anchor=ANCHOR)
    assert (found.record_id, found.purposes[0].purpose) == ("g1", "Due diligence")
    await service.post("/api/v1/grants", OTHER_FACTORY, a_grant("g2", factory_id="f2"))
    assert await receipt(service, caller) == content


async def test_after_a_revocation_the_receipt_holds_both_entries(service: Running) -> None:
    before = await receipt(service, FACTORY)
    await revoke(service)
    found = verified_receipt(await receipt(service, FACTORY), anchor=ANCHOR)
    assert [event.event_state for event in found.events] == ["consent given", "consent withdrawn"]
    assert verified_receipt(before).events[0] == found.events[0]


@pytest.mark.parametrize("caller", [OTHER_FACTORY, OTHER_BUYER], ids=["another factory", "another buyer"])
async def test_a_stranger_to_the_grant_gets_no_receipt(service: Running, caller: Principal) -> None:
    assert (await service.get("/api/v1/grants/g1/receipt", caller)).status_code == 404


async def test_the_receipt_of_a_buyer_names_no_person(service: Running) -> None:
    assert b"Rana" in await receipt(service, FACTORY)
    shown = await receipt(service, BUYER)
    assert b"Rana" not in shown
    assert b"owner" not in shown


async def test_the_exported_ledger_verifies_and_holds_what_receipts_say(service: Running) -> None:
    await revoke(service)
    noted = {event.epoch: event.hash for event in verified_receipt(await receipt(service, BUYER)).events}
    assert verified_ledger(await exported(service), anchor=ANCHOR, noted=noted).epoch == 3


async def test_a_ledger_longer_than_a_page_is_exported_whole(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.access.store.ledger.PAGE", 3)
    for number in range(2, 9):
        await service.post("/api/v1/grants", FACTORY, a_grant(f"g{number}"))
    assert (await head(service)).epoch == 9


async def ready(service: Running) -> int:
    return (await service.http.get("/health/ready")).status_code


async def test_a_key_is_rotated_at_a_start_and_everything_before_still_verifies(
    service: Running, tmp_path: Path
) -> None:
    old_receipt = await receipt(service, FACTORY)
    async with access(tmp_path, is_new=False, ledger_key=NEW, ledger_previous_key=OLD) as rotated:
        assert await ready(rotated) == 200
        assert (await head(rotated)).key == LedgerKey(NEW).public
        await revoke(rotated)
        assert len(verified_receipt(await receipt(rotated, FACTORY), anchor=ANCHOR).proof.entries) == 4
        verified_receipt(old_receipt, anchor=ANCHOR)
    async with access(tmp_path, is_new=False, ledger_key=NEWEST, ledger_previous_key=NEW) as again:
        assert (await again.post("/api/v1/grants", FACTORY, a_grant("g2"))).status_code == 201
        assert len((await head(again)).announced) == 3
    async with access(tmp_path, is_new=False, ledger_key=NEWEST, ledger_previous_key=NEW) as same:
        assert await ready(same) == 200
        assert (await head(same)).epoch == 6


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    "keys",
    [
        {"ledger_key": OLD},
        {"ledger_key": NEWEST},
        {"ledger_key": NEWEST, "ledger_previous_key": OLD},
        {"ledger_key": OLD, "ledger_previous_key": NEW},
        {"ledger_key": Secret()},
    ],
    ids=["the replaced key", "a strange key", "not the key before", "back to the replaced key", "no key"],
)
async def test_a_process_with_a_key_that_is_not_the_ledger_s_writes_nothing_and_gives_no_lease(
    tmp_path: Path, keys: dict[str, Secret]
) -> None:
    async with access(tmp_path, is_new=False, ledger_key=NEW, ledger_previous_key=OLD) as rotated:
        assert await ready(rotated) == 200
        written = await exported(rotated)
    async with access(tmp_path, is_new=False, **keys) as wrong:
        assert await ready(wrong) == 503
        answer = await wrong.post("/api/v1/grants", FACTORY, a_grant("g2"))
        assert (answer.status_code, answer.json()["code"]) == (503, "ledger_key_wrong")
        assert (await wrong.get("/internal/consent?gateway=g", GATEWAY)).status_code == 503
        assert await exported(wrong) == written


async def test_a_ledger_that_begins_with_another_key_than_the_trusted_one_gives_no_lease(
    service: Running, tmp_path: Path
) -> None:
    assert await ready(service) == 200
    async with access(tmp_path, is_new=False, ledger_anchor=LedgerKey(NEW).id) as other:
        assert await ready(other) == 503
        for path, caller in (("/internal/consent?gateway=g", GATEWAY), ("/api/v1/grants", FACTORY)):
            answer = await other.get(path, caller)
            assert (answer.status_code, answer.json()["code"]) == (503, "ledger_broken")


@pytest.mark.parametrize("key", ["", "short", "c2hvcnQ="])
def test_access_does_not_start_without_a_key_that_can_sign(tmp_path: Path, key: str) -> None:
    settings = Settings(verify_key=settings_for(tmp_path).verify_key, ledger_key=Secret(key))
    documents = SqliteDocuments(tmp_path / "access.sqlite")
    bus = InProcessBus(documents.collection("messages", INDEXES), RetryPolicy())
    ports = Ports(documents, DirectoryFiles(tmp_path, "access"), bus)
    with pytest.raises(InvalidSettings, match="STAR_LEDGER_KEY"):
        make_process(settings, ports)
