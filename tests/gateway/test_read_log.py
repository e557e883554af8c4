"""The gateway and access together: what a buyer was shown is on the factory's log, once, whatever breaks in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.inprocess import InProcessUpstream
from gateway.upstream import Incoming, Outgoing, Upstream, UpstreamDown
from services.access.domain.read_export import verified_log
from tests.access.parties import ADMIN, FACTORY, a_grant, access
from tests.gateway.running import Door, Scripted, a_gateway, everywhere, upstream_to
from tests.support.eventually import eventually
from tests.support.services import Running

REPORT = "/api/v1/reports/r1"
MARKS = [
    (b"star-factory", b"f1"),
    (b"star-kind", b"assessment"),
    (b"star-cycle", b"3"),
    (b"star-document", b"r1"),
    (b"content-type", b"application/pdf"),
]


class Losing:
    """The way to access: once it loses an answer to a record, after (or before) access heard of it."""

    def __init__(self, inner: Upstream, *, before: bool) -> None:
        self._inner = inner
        self._before = before
        self.lost = 0

    async def start(self) -> None:
        await self._inner.start()

    async def stop(self) -> None:
        await self._inner.stop()

    @contextlib.asynccontextmanager
    async def exchange(self, request: Outgoing) -> AsyncIterator[Incoming]:
        is_record = request.target == "/internal/reads"
        if is_record and self._before and not self.lost:
            self.lost += 1
            raise UpstreamDown("lost on the way")
        async with self._inner.exchange(request) as answer:
            if is_record and not self.lost:
                async for _ in answer.chunks:
                    pass
                self.lost += 1
                raise UpstreamDown("lost on the way back")
            yield answer


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path / "access") as running:
        await running.post("/api/v1/grants", FACTORY, a_grant(purpose="Due diligence"))
        await running.post("/api/v1/entitlements", ADMIN, {"id": "partner-b1", "buyer_id": "b1"})
        yield running


@contextlib.asynccontextmanager
async def one_gateway(to_access: Upstream, folder: Path) -> AsyncIterator[Door]:
    scripted = Scripted(headers=list(MARKS), body=b"the report")
    upstreams = {**everywhere(InProcessUpstream(scripted)), "access": to_access}
    async with a_gateway(folder, upstreams) as door:
        replica = door.gateway.app._proxy._replica
        await eventually(lambda: replica.lease_left_s() > 0 and replica.fold.epoch >= 3, saying="the ledger is read")
        yield door


async def reads(door: Door, tries: list[None]) -> None:
    """Read the report, as often as a lease that ran out on a busy machine makes necessary."""

    async def is_answered() -> bool:
        tries.append(None)
        try:
            got = await door.ask("GET", REPORT, "buyer")
        except aiohttp.ClientPayloadError:  # begun, and cut when the lease ran out
            return False
        assert got.status == 200 or got.json()["code"] in {"consent_unknown", "consent_changed"}, got.body
        return got.status == 200

    await eventually(is_answered, within_s=20, saying="the buyer reads")


async def on_record(service: Running) -> list[dict[str, Any]]:
    """The factory's log, whose export verifies."""
    export = await service.get("/api/v1/factories/f1/read-log", FACTORY)
    head = verified_log(export.content.splitlines(keepends=True)).head
    items: list[dict[str, Any]] = (await service.get("/api/v1/reads?limit=200", FACTORY)).json()["items"]
    assert len(items) == head.reads
    return items


@pytest.mark.parametrize("adapter", ["inprocess", "http"])
async def test_a_read_is_on_the_log_of_the_factory_when_it_is_answered(
    service: Running, tmp_path: Path, adapter: str
) -> None:
    async with upstream_to(adapter, service.service.app) as upstream, one_gateway(upstream, tmp_path) as door:
        await reads(door, [])
        read = (await on_record(service))[0]
    assert (read["buyer_id"], read["name"], read["documents"]) == ("b1", "A buyer", ["r1"])
    assert (read["grounds"], read["purposes"], read["kinds"]) == (["g1"], ["Due diligence"], ["assessment"])


@pytest.mark.parametrize("before", [True, False], ids=["on the way", "on the way back"])
async def test_a_record_that_is_lost_on_its_way_is_on_the_log_once(
    service: Running,
    tmp_path: Path,
    before: bool,  # noqa: FBT001
) -> None:
    losing = Losing(InProcessUpstream(service.service.app), before=before)
    async with one_gateway(losing, tmp_path) as door:
        tries: list[None] = []
        await asyncio.gather(*(reads(door, tries) for _ in range(20)))
    assert losing.lost == 1
    found = await on_record(service)
    assert 20 <= len(found) == len({read["id"] for read in found}) <= len(tries)


async def test_concurrent_reads_share_pages_and_two_gateways_leave_one_log(service: Running, tmp_path: Path) -> None:
    upstream = InProcessUpstream(service.service.app)
    async with one_gateway(upstream, tmp_path / "1") as one, one_gateway(upstream, tmp_path / "2") as other:
        tries: list[None] = []
        await asyncio.gather(*(reads(door, tries) for door in (one, other) * 40))
    found = await on_record(service)
    assert 80 <= len(found) <= len(tries)
    head = (await service.get("/api/v1/factories/f1/read-log/head", FACTORY)).json()
    assert head["pages"] < len(found)


async def test_a_gateway_that_dies_between_the_record_and_the_answer_leaves_the_record(
    service: Running, tmp_path: Path
) -> None:
    async with one_gateway(InProcessUpstream(service.service.app), tmp_path) as door:
        log = door.gateway.app._proxy.reading._log
        record = log.record

        async def dies(reads: Any) -> None:
            await record(reads)
            raise SystemError("killed")

        log.record = dies  # type: ignore[method-assign]
        got = await door.ask("GET", REPORT, "buyer")
    assert got.status == 500
    assert b"the report" not in got.body
    assert len(await on_record(service)) == 1
