"""A gateway decides by nothing that the ledger's key did not sign."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.access import ConsentAnswer, ConsentEntry, EntryKind
from contracts.ledger import LedgerKey, NotGenuine
from contracts.visibility import DoesNotConnect
from gateway.consent import AccessFeed
from gateway.inprocess import InProcessUpstream
from services.access.domain.consent.entry import followed
from services.runtime.identity import Signer
from services.runtime.settings import Settings
from tests.access.entries import KEY, STRANGER, a_rotated_ledger
from tests.access.parties import FACTORY, a_grant, sharing_access
from tests.gateway.feed import LEASE_S
from tests.gateway.running import Scripted, a_gateway, everywhere
from tests.support.eventually import eventually
from tests.support.services import LEDGER_KEY, SIGNING_KEY, Running

LEDGER = tuple(followed(entry) for entry in a_rotated_ledger()[1])


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with sharing_access(tmp_path / "access") as running:
        yield running


class Feed:
    """The feed before an access that answers what the test says."""

    def __init__(self, anchor: str = "") -> None:
        self.scripted = Scripted()
        settings = Settings(country="JO", ledger_anchor=anchor)
        self.feed = AccessFeed(InProcessUpstream(self.scripted), Signer(SIGNING_KEY), settings)

    async def take(self, entries: Sequence[ConsentEntry], after: int = 0, entry_hash: str = "") -> ConsentAnswer:
        answer = ConsentAnswer(entries=tuple(entries), epoch=5, lease_s=5.0)
        self.scripted.body = msgspec.json.encode(answer)
        return await self.feed.follow("gw", after=after, entry_hash=entry_hash, wait_s=0.0)


async def test_a_signed_ledger_is_followed_over_the_rotation_of_its_key() -> None:
    feed = Feed(anchor=KEY.id)
    assert len((await feed.take(LEDGER[:3])).entries) == 3
    answer = await feed.take(LEDGER[3:], after=3, entry_hash=LEDGER[2].hash)
    assert [entry.kind for entry in answer.entries] == [EntryKind.KEY_ANNOUNCED, EntryKind.GRANT_REVOKED]


@pytest.mark.parametrize(
    "change",
    [
        {"buyer_id": "b2"},
        {"kinds": ()},
        {"signature": ""},
        {"signature": "0" * 128},
        {"hash": "0" * 64},
        {"key_id": STRANGER.id},
        {"sealed": {}},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_an_entry_that_is_not_what_was_signed_is_refused(change: dict[str, object]) -> None:
    altered = msgspec.structs.replace(LEDGER[1], **change)
    with pytest.raises(NotGenuine):
        await Feed().take((LEDGER[0], altered))


async def test_an_entry_signed_by_a_stranger_is_refused() -> None:
    with pytest.raises(NotGenuine):
        await Feed().take((LEDGER[0], STRANGER.signed(LEDGER[1])))


async def test_the_trusted_first_key_is_the_one_in_the_settings_or_the_one_seen_first() -> None:
    with pytest.raises(NotGenuine):
        await Feed(anchor=STRANGER.id).take(LEDGER)
    feed = Feed()
    await feed.take(LEDGER)
    first = msgspec.structs.replace(LEDGER[0], public_key=STRANGER.public)
    with pytest.raises(NotGenuine):
        await feed.take((STRANGER.signed(first),))


async def test_what_was_applied_elsewhere_is_read_again_from_the_start() -> None:
    with pytest.raises(DoesNotConnect):
        await Feed().take((), after=3, entry_hash=LEDGER[2].hash)


class Bending:
    """Access, with another buyer put into every entry from an epoch on that passes by."""

    def __init__(self, service: Running, from_epoch: int) -> None:
        self._app: Any = service.service.app
        self._from_epoch = from_epoch

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        chunks: list[bytes] = []
        start: dict[str, Any] = {}

        async def bent(message: Any) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            chunks.append(message.get("body", b""))
            if not message.get("more_body", False):
                content = b"".join(chunks)
                if scope["path"] == "/internal/consent" and start["status"] == 200:
                    content = _bent(content, self._from_epoch)
                kept = [header for header in start["headers"] if header[0].lower() != b"content-length"]
                await send({**start, "headers": [*kept, (b"content-length", str(len(content)).encode())]})
                await send({"type": "http.response.body", "body": content, "more_body": False})

        await self._app(scope, receive, bent)


def _bent(content: bytes, from_epoch: int) -> bytes:
    answer = msgspec.json.decode(content, type=ConsentAnswer)
    entries = tuple(
        msgspec.structs.replace(entry, buyer_id="b9") if entry.epoch >= from_epoch else entry
        for entry in answer.entries
    )
    return msgspec.json.encode(msgspec.structs.replace(answer, entries=entries))


async def test_buyers_are_refused_and_others_served_when_an_entry_is_not_genuine(
    service: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upstream = InProcessUpstream(Bending(service, from_epoch=4))
    async with a_gateway(tmp_path, everywhere(upstream)) as door:

        async def is_shown() -> bool:
            return (await door.ask("GET", "/api/v1/factories/f1", "buyer")).status == 200

        await eventually(is_shown, saying="the buyer sees the factory")
        assert (await service.post("/api/v1/grants", FACTORY, a_grant("g2", buyer_id="b2"))).status_code == 201
        await asyncio.sleep(LEASE_S)
        got = await door.ask("GET", "/api/v1/factories/f1", "buyer")
        assert (got.status, got.json()["code"]) == (503, "consent_unknown")
        assert (await door.ask("GET", "/api/v1/factories/f1", "factory")).status == 200
    assert "the consent ledger is not genuine: buyers are refused" in caplog.messages


async def test_a_gateway_with_the_anchor_of_its_country_serves_buyers(service: Running, tmp_path: Path) -> None:
    upstreams = everywhere(InProcessUpstream(service.service.app))
    async with a_gateway(tmp_path, upstreams) as door:
        feed = door.gateway._follower._source
        assert isinstance(feed, AccessFeed)

        async def is_shown() -> bool:
            return (await door.ask("GET", "/api/v1/factories/f1", "buyer")).status == 200

        await eventually(is_shown, saying="the buyer sees the factory")
        assert feed._chain.anchor == LedgerKey(LEDGER_KEY).id
