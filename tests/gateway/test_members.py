"""Who may act for a buyer that keeps its own staff: its directory's word is in force everywhere when it is answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts.access import EntryKind, member_digest
from contracts.identity import Role
from gateway.dev_issuer import DevUser
from gateway.inprocess import InProcessUpstream
from tests.access.parties import LEASE_S, sharing_access
from tests.gateway.feed import FedConsent
from tests.gateway.running import USERS, Door, Got, Scripted, a_gateway, everywhere
from tests.gateway.test_buyers import REPORT, Download, begin
from tests.support.eventually import eventually
from tests.support.services import Running

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PEOPLE = (
    *USERS,
    DevUser("colleague", "Another person of the buyer", frozenset({Role.BUYER}), "b1"),
    DevUser("directory", "The buyer's directory", frozenset({Role.BUYER_PROVISIONER}), "b1"),
    DevUser("both", "A buyer's machine with both roles", frozenset({Role.BUYER, Role.BUYER_PROVISIONER}), "b1"),
)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with sharing_access(tmp_path / "access") as running:
        yield running


@contextlib.asynccontextmanager
async def one_gateway(service: Running, folder: Path) -> AsyncIterator[Door]:
    async with a_gateway(folder, everywhere(InProcessUpstream(service.service.app)), dev_users=PEOPLE) as door:
        yield door


async def seen_by(door: Door, user: str) -> Got:
    return await door.ask("GET", "/api/v1/factories/f1", user)


async def until_shown(door: Door, user: str) -> None:
    async def is_shown() -> bool:
        return (await seen_by(door, user)).status == 200

    await eventually(is_shown, saying=f"{user} sees the factory")


async def admitted(door: Door, user_name: str, **more: Any) -> str:
    body = {"schemas": [USER], "userName": user_name, **more}
    got = await door.ask("POST", "/scim/v2/Users", "directory", json=body)
    assert got.status == 201, got.body
    member_id: str = got.json()["id"]
    return member_id


async def active(door: Door, member_id: str, *, is_active: bool) -> None:
    operations = [{"op": "replace", "path": "active", "value": is_active}]
    body = {"schemas": [PATCH_OP], "Operations": operations}
    got = await door.ask("PATCH", f"/scim/v2/Users/{member_id}", "directory", json=body)
    assert (got.status, got.json()["active"]) == (200, is_active)


async def test_until_a_buyer_keeps_its_staff_anybody_with_its_role_may_act(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door:
        await until_shown(door, "buyer")
        assert (await seen_by(door, "colleague")).status == 200


async def test_from_the_first_member_on_only_members_act_at_every_gateway(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door, one_gateway(service, tmp_path) as other:
        for gateway in (door, other):
            await until_shown(gateway, "colleague")
        await admitted(door, "BUYER")
        for gateway in (door, other):
            assert (await seen_by(gateway, "buyer")).status == 200
            refused = await seen_by(gateway, "colleague")
            assert (refused.status, refused.json()["code"]) == (403, "not_a_member")
            assert (await gateway.ask("GET", "/api/v1/grants", "colleague")).status == 403


async def test_who_was_deactivated_or_forgotten_acts_at_no_gateway_any_more(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door, one_gateway(service, tmp_path) as other:
        member_id = await admitted(door, "buyer")
        for _ in range(3):
            await until_shown(other, "buyer")
            await active(door, member_id, is_active=False)
            assert [(await seen_by(gateway, "buyer")).status for gateway in (door, other)] == [403, 403]
            await active(door, member_id, is_active=True)
        await until_shown(other, "buyer")
        assert (await door.ask("DELETE", f"/scim/v2/Users/{member_id}", "directory")).status == 204
        assert [(await seen_by(gateway, "buyer")).status for gateway in (door, other)] == [403, 403]


async def test_who_gets_another_name_loses_the_old_one(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door:
        member_id = await admitted(door, "buyer")
        await until_shown(door, "buyer")
        body = {"schemas": [USER], "userName": "colleague"}
        assert (await door.ask("PUT", f"/scim/v2/Users/{member_id}", "directory", json=body)).status == 200
        assert (await seen_by(door, "buyer")).status == 403
        await until_shown(door, "colleague")


async def test_a_gateway_cut_off_from_access_shows_nothing_when_a_deactivation_is_answered(
    service: Running, tmp_path: Path
) -> None:
    async with one_gateway(service, tmp_path) as door, one_gateway(service, tmp_path) as other:
        member_id = await admitted(door, "buyer")
        await until_shown(other, "buyer")
        await other.gateway._follower.stop()
        await active(door, member_id, is_active=False)
        assert (await seen_by(other, "buyer")).status == 503


async def test_a_directory_needs_no_lease_and_sees_nothing_but_staff(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door:
        await door.gateway._follower.stop()
        await asyncio.sleep(LEASE_S)
        await admitted(door, "buyer")
        got = await door.ask("GET", "/scim/v2/Users", "directory")
        assert (got.status, got.json()["totalResults"]) == (200, 1)
        assert got.headers["content-type"].startswith("application/scim+json")
        for path in ("/api/v1/factories", "/api/v1/grants", "/api/v1/factories/f1"):
            assert (await door.ask("GET", path, "directory")).status in {403, 404}


async def test_a_machine_with_both_roles_is_a_directory_there_and_a_member_elsewhere(
    service: Running, tmp_path: Path
) -> None:
    async with one_gateway(service, tmp_path) as door:
        await admitted(door, "buyer")
        assert (await door.ask("GET", "/scim/v2/Users", "both")).status == 200
        assert (await seen_by(door, "both")).status == 403


@pytest.mark.parametrize("user", ["admin", "factory", "buyer"])
async def test_nobody_else_reaches_the_directory_s_addresses(service: Running, tmp_path: Path, user: str) -> None:
    async with one_gateway(service, tmp_path) as door:
        refused = await door.ask("GET", "/scim/v2/Users", user)
        assert (refused.status, refused.json()["schemas"], refused.json()["status"]) == (403, [ERROR], "403")
        unknown = await door.ask("GET", "/scim/v2/Users")
        assert (unknown.status, unknown.json()["schemas"]) == (401, [ERROR])
        assert unknown.headers["www-authenticate"] == 'Bearer realm="star"'
    assert not [path for path in ("/scim/v2", "/scim/v2/", "/scim/v2/Groups") if await found(service, tmp_path, path)]


async def found(service: Running, folder: Path, path: str) -> bool:
    async with one_gateway(service, folder) as door:
        return (await door.ask("GET", path, "directory")).status != 404


async def test_versions_and_addresses_pass_the_gateway(service: Running, tmp_path: Path) -> None:
    async with one_gateway(service, tmp_path) as door:
        body = {"schemas": [USER], "userName": "buyer"}
        created = await door.ask("POST", "/scim/v2/Users", "directory", json=body)
        location, version = created.headers["location"], created.headers["etag"]
        read = await door.ask("GET", location, "directory", headers={"if-none-match": version})
        stale = await door.ask("DELETE", location, "directory", headers={"if-match": 'W/"another"'})
        assert (read.status, stale.status) == (304, 412)
        assert (await door.ask("DELETE", location, "directory", headers={"if-match": version})).status == 204


def staff(consent: FedConsent, kind: EntryKind, member_id: str, user_name: str) -> None:
    consent._add(kind, member_id, "", "b1", member=member_digest("b1", user_name))


async def test_a_running_answer_is_cut_when_its_reader_leaves_the_staff(tmp_path: Path) -> None:
    consent, scripted = FedConsent(), Scripted(headers=list(REPORT))
    consent.give("g1", "f1")
    staff(consent, EntryKind.MEMBER_ADMITTED, "m1", "buyer")
    Download(scripted)
    async with a_gateway(tmp_path, everywhere(InProcessUpstream(scripted)), consent) as door:
        await consent.heard()
        answer = await begin(door)
        staff(consent, EntryKind.MEMBER_ADMITTED, "m2", "another")
        await answer.content.readexactly(20_000)
        staff(consent, EntryKind.MEMBER_LEFT, "m1", "buyer")
        with pytest.raises(aiohttp.ClientPayloadError):
            async with asyncio.timeout(2):
                await answer.content.read()
        answer.close()
