"""One place has one factory: of the factories of the programme only one has an OS Hub id."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.access.parties import ADMIN, a_factory, access
from tests.support.services import Running, signed

FACTORIES: Final = "/api/v1/factories"
OS_ID: Final = "CN2021250D1DTN7"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Access in which factory f1 has the id."""
    async with access(tmp_path) as running:
        assert (await change(running, "f1")).status_code == 200
        yield running


async def change(service: Running, factory_id: str, os_id: str = OS_ID) -> httpx.Response:
    body = {"os_id": os_id, "reason": "Looked up"}
    return await service.http.patch(f"{FACTORIES}/{factory_id}", headers=signed(ADMIN), json=body)


async def move(service: Running, factory_id: str, **body: object) -> httpx.Response:
    return await service.post(f"{FACTORIES}/{factory_id}/status", ADMIN, {"reason": "Because", **body})


async def register(service: Running, factory_id: str, os_id: str = OS_ID) -> httpx.Response:
    return await service.post(FACTORIES, ADMIN, a_factory(factory_id, os_id=os_id))


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_place_is_not_registered_twice(service: Running) -> None:
    for os_id in (OS_ID, "cn 2021250 d1dtn 7"):
        assert code(await register(service, "f3", os_id)) == (409, "os_id_taken")
        assert code(await change(service, "f2", os_id)) == (409, "os_id_taken")
    assert (await service.get(f"{FACTORIES}/f3", ADMIN)).status_code == 404
    assert (await service.get(f"{FACTORIES}/f2", ADMIN)).json()["os_id"] == ""
    assert (await change(service, "f1")).status_code == 200


async def test_of_two_at_once_one_has_the_id(service: Running) -> None:
    await change(service, "f1", "")
    answers = await asyncio.gather(change(service, "f1"), change(service, "f2"), register(service, "f3"))
    assert sorted(answer.status_code for answer in answers)[1:] == [409, 409]


async def test_factories_without_an_id_and_with_a_taken_original_id_are_no_matter_of_it(service: Running) -> None:
    assert (await register(service, "f3", "")).status_code == 201
    body = a_factory("f4", os_id="", original_id="f1")
    assert code(await service.post(FACTORIES, ADMIN, body)) == (409, "conflict")
    for _ in range(2):
        await change(service, "f1", "")
        assert (await register(service, "f5")).status_code == 201


@pytest.mark.parametrize("leaving", [{"status": "obsolete"}, {"status": "merged", "merged_into": "f2"}])
async def test_a_factory_that_leaves_gives_its_id_up(service: Running, leaving: dict[str, object]) -> None:
    assert (await move(service, "f1", **leaving)).status_code == 201
    assert (await change(service, "f2")).status_code == 200
    assert (await service.get(f"{FACTORIES}/f1", ADMIN)).json()["os_id"] == OS_ID


async def test_a_factory_comes_back_with_its_id_only_when_no_other_has_it(service: Running) -> None:
    await move(service, "f1", status="obsolete")
    await change(service, "f2")
    assert code(await move(service, "f1", status="active")) == (409, "os_id_taken")
    assert (await service.get(f"{FACTORIES}/f1", ADMIN)).json()["status"] == "obsolete"
    await change(service, "f2", "")
    assert (await move(service, "f1", status="active")).status_code == 201
    assert code(await change(service, "f2")) == (409, "os_id_taken")
