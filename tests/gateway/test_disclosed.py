"""Access and gateways together: a buyer sees what was disclosed to it, and no more once that has ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar.types import Message, Receive, Scope, Send

from gateway.inprocess import InProcessUpstream
from tests.access.disclosed import PATH, ask, confirm, end
from tests.access.parties import FACTORY, access
from tests.gateway.running import DOCUMENT, Door, a_gateway, everywhere
from tests.support.eventually import eventually
from tests.support.services import Running

DISCLOSURES: dict[str, object] = {
    PATH: {"get": {}},
    f"{PATH}/{{disclosure_id}}": {"get": {}},
    f"{PATH}/{{disclosure_id}}/receipt": {"get": {}},
}


class Slow:
    """Access, whose answers can be held back after they were made."""

    def __init__(self, service: Running) -> None:
        self._app = service.service.app
        self.is_made = asyncio.Event()
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def held(message: Message) -> None:
            if not self.may_go.is_set():
                self.is_made.set()
                await self.may_go.wait()
            await send(message)

        await self._app(scope, receive, held if scope["path"].startswith(PATH) else send)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path / "access") as running:
        await ask(running)
        await confirm(running)
        yield running


@contextlib.asynccontextmanager
async def one_gateway(slow: Slow, folder: Path) -> AsyncIterator[Door]:
    document = {"paths": {**DOCUMENT["paths"], **DISCLOSURES}}
    async with a_gateway(folder, everywhere(InProcessUpstream(slow)), document=document) as door:

        async def is_shown() -> bool:
            return (await door.ask("GET", f"{PATH}/d1", "buyer")).status == 200

        await eventually(is_shown, saying="the buyer sees the disclosure")
        yield door


async def test_a_buyer_sees_what_was_disclosed_to_it_and_the_factory_that_it_saw_it(
    service: Running, tmp_path: Path
) -> None:
    async with one_gateway(Slow(service), tmp_path) as door:
        got = await door.ask("GET", PATH, "buyer")
        assert [each["id"] for each in got.json()["items"]] == ["d1"]
        assert (await door.ask("GET", f"{PATH}/d1/receipt", "buyer")).status == 200
    receipt, listed, single = (await service.get("/api/v1/reads", FACTORY)).json()["items"][:3]
    assert [read["act"] for read in (single, listed, receipt)] == ["read", "listed", "read"]
    assert {read["documents"][0] for read in (single, listed, receipt)} == {"d1"}
    assert all(read["grounds"] for read in (single, listed, receipt))


async def test_a_disclosure_is_gone_at_every_gateway_when_its_end_returns(service: Running, tmp_path: Path) -> None:
    slow = Slow(service)
    async with one_gateway(slow, tmp_path / "1") as door, one_gateway(slow, tmp_path / "2") as other:
        assert (await end(service)).status_code == 204
        for gateway in (door, other):
            assert (await gateway.ask("GET", PATH, "buyer")).json()["items"] == []
            for path in (f"{PATH}/d1", f"{PATH}/d1/receipt"):
                assert (await gateway.ask("GET", path, "buyer")).status == 404


@pytest.mark.parametrize("path", [PATH, f"{PATH}/d1", f"{PATH}/d1/receipt"])
async def test_an_answer_that_was_on_its_way_when_a_disclosure_ended_is_not_sent(
    service: Running, tmp_path: Path, path: str
) -> None:
    slow = Slow(service)
    async with one_gateway(slow, tmp_path) as door:
        slow.may_go.clear()
        asking = asyncio.create_task(door.ask("GET", path, "buyer"))
        await slow.is_made.wait()
        assert (await end(service)).status_code == 204
        slow.may_go.set()
        got = await asking
    assert (got.status, got.json()["code"]) == (503, "consent_changed")
