"""What a directory is told of a member is what the ledger says, whatever happens at the same time or breaks between."""

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from contracts.access import ConsentAnswer, member_digest
from contracts.visibility import Fold
from services.runtime.identity import new_signing_key
from tests.access.directory import PATCH_OP, Scim, access_with_staff, ana, replaced
from tests.access.parties import GATEWAY, access
from tests.support.services import Running


async def ledger(running: Running) -> Fold:
    """What a gateway makes of the ledger."""
    answer = await running.get("/internal/consent?gateway=g", GATEWAY)
    fold = Fold()
    for entry in msgspec.json.decode(answer.content, type=ConsentAnswer).entries:
        fold.apply(entry)
    return fold


async def active_names(scim: Scim) -> set[str]:
    users = (await scim("GET", "/Users")).json().get("Resources", [])
    return {user["userName"] for user in users if user["active"]}


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_changes_at_once_the_ledger_knows_the_active_members_and_no_others(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    async with access(tmp_path) as running:
        scim = Scim(running)
        ids = [(await scim.created(userName=f"u{number}"))["id"] for number in range(4)]

        async def change(number: int) -> int:
            member_id = chance.choice(ids)
            path = f"/Users/{member_id}"
            match chance.randrange(5):
                case 0:
                    answer = await scim("DELETE", path)
                case 1:
                    answer = await scim("PUT", path, ana(userName=f"v{number % 6}", active=chance.random() < 0.7))
                case 2:
                    answer = await scim("POST", "/Users", ana(userName=f"v{number % 6}"))
                case _:
                    answer = await scim("PATCH", path, replaced(active=chance.random() < 0.5))
            return answer.status_code

        statuses = await asyncio.gather(*(change(number) for number in range(40)))
        assert set(statuses) <= {200, 201, 204, 404, 409}
        members = (await ledger(running)).buyer("b1").members
        assert members == {member_digest("b1", name) for name in await active_names(scim)}


async def test_a_member_of_whom_the_ledger_was_not_told_is_not_active_until_it_is(tmp_path: Path) -> None:
    async with access(tmp_path) as running:
        await Scim(running).created(userName="first")
    async with access(tmp_path, is_new=False, ledger_key=new_signing_key()) as broken:
        assert (await Scim(broken)("POST", "/Users", ana())).status_code == 503
    async with access(tmp_path, is_new=False) as running:
        scim = Scim(running)
        assert await active_names(scim) == {"first"}
        user = (await scim("GET", '/Users?filter=userName eq "ana@buyer.example"')).json()["Resources"][0]
        assert user["active"] is False
        assert (await scim("PATCH", f"/Users/{user['id']}", replaced(active=True))).json()["active"] is True
        assert (await ledger(running)).is_member("b1", "ANA@buyer.example")


async def test_a_member_who_could_not_be_taken_off_the_ledger_is_not_forgotten(tmp_path: Path) -> None:
    async with access(tmp_path) as running:
        user = await Scim(running).created()
    async with access(tmp_path, is_new=False, ledger_key=new_signing_key()) as broken:
        assert (await Scim(broken)("DELETE", f"/Users/{user['id']}")).status_code == 503
        operation = {"op": "replace", "path": "active", "value": False}
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        assert (await Scim(broken)("PATCH", f"/Users/{user['id']}", body)).status_code == 503
    async with access(tmp_path, is_new=False) as running:
        scim = Scim(running)
        assert (await scim("GET", f"/Users/{user['id']}")).json()["active"] is True
        assert (await scim("DELETE", f"/Users/{user['id']}")).status_code == 204
        assert not (await ledger(running)).is_member("b1", "ana@buyer.example")


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"userName": "ana"}, 409), ({"userName": "ana", "active": False}, 409), ({"userName": "x" * 256}, 400)],
)
async def test_who_was_refused_another_name_acts_as_before(
    tmp_path: Path, changes: dict[str, object], status: int
) -> None:
    async with access_with_staff(tmp_path) as running:
        scim = Scim(running)
        await scim.created(userName="ana")
        bo = await scim.created(userName="bo")
        for answer in (
            await scim("PUT", f"/Users/{bo['id']}", ana(**changes)),
            await scim("PATCH", f"/Users/{bo['id']}", replaced(**changes)),
        ):
            assert answer.status_code == status
        assert (await scim("GET", f"/Users/{bo['id']}")).json() == bo
        assert (await ledger(running)).is_member("b1", "bo")
