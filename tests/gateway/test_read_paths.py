"""Every way to read shows what the model says, document by document, whatever stands on the ledger."""

import csv
import io
import itertools
import random
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from contracts.identity import Role
from contracts.vocabulary import ReportKind
from gateway.dev_issuer import DevUser
from tests.gateway.every_document import EveryDocument, Place
from tests.gateway.running import Door, Got, a_following_gateway
from tests.gateway.test_decisions import BUYERS, CYCLES, FACTORIES, World, a_step, a_world
from tests.journeys.routes import DOCUMENT

PLACES: Final = tuple(itertools.product(FACTORIES, CYCLES))
WORLDS: Final = 6
MOMENTS: Final = 4
STEPS: Final = 12
USERS: Final = tuple(
    DevUser(f"{role.value}-{party}", party, frozenset({role}), party)
    for role, party in itertools.product((Role.BUYER, Role.GROUP), BUYERS)
)
Asking = Callable[[Door, str], Awaitable[set[Place]]]


def a_list(path: str) -> Asking:
    async def asked(door: Door, user: str) -> set[Place]:
        page = (await granted(door, path, user)).json()
        return {(item["factory_id"], item["cycle"]) for item in page["items"]}

    return asked


def a_table(path: str) -> Asking:
    async def asked(door: Door, user: str) -> set[Place]:
        text = (await granted(door, f"{path}?format=csv", user)).body.decode()
        rows = csv.DictReader(io.StringIO(text, newline=""))
        return {(row["factory_id"], int(row["cycle"])) for row in rows}

    return asked


def each_one(path: str, method: str = "GET", *, is_known: bool = False) -> Asking:
    async def asked(door: Door, user: str) -> set[Place]:
        found = set()
        for factory_id, cycle in PLACES:
            document_id = f"{path[1]}-{factory_id}-{cycle}"
            headers = {"if-none-match": f'"{document_id}"'} if is_known else {}
            got = await door.ask(method, f"/api/v1{path.format(id=document_id)}", user, headers=headers)
            assert got.status in {304 if is_known else 200, 404}, got
            if got.status != 404:
                found.add((factory_id, cycle))
        return found

    return asked


def the_portfolio(kind: ReportKind) -> Asking:
    async def asked(door: Door, user: str) -> set[Place]:
        archive = zipfile.ZipFile(io.BytesIO((await granted(door, "/portfolio", user)).body))
        files: list[dict[str, Any]] = msgspec.json.decode(archive.read("manifest.json"))["files"]
        assert {file["state"] for file in files} <= {"included"}
        return {(file["factory_id"], file["cycle"]) for file in files if file["kind"] == kind}

    return asked


async def granted(door: Door, path: str, user: str) -> Got:
    got = await door.ask("GET", f"/api/v1{path}", user)
    assert got.status == 200, got
    return got


PATHS: Final[Mapping[str, tuple[ReportKind, Asking]]] = {
    "the list of reports": (ReportKind.ASSESSMENT, a_list("/reports")),
    "the table of reports": (ReportKind.ASSESSMENT, a_table("/reports")),
    "a report": (ReportKind.ASSESSMENT, each_one("/reports/{id}")),
    "that a report is there": (ReportKind.ASSESSMENT, each_one("/reports/{id}", "HEAD")),
    "a known report": (ReportKind.ASSESSMENT, each_one("/reports/{id}", is_known=True)),
    "a download": (ReportKind.ASSESSMENT, each_one("/reports/{id}/file")),
    "the list of plans": (ReportKind.IMPROVEMENT_PLAN, a_list("/plans")),
    "the table of plans": (ReportKind.IMPROVEMENT_PLAN, a_table("/plans")),
    "a plan": (ReportKind.IMPROVEMENT_PLAN, each_one("/plans/{id}")),
    "progress": (ReportKind.PROGRESS, each_one("/plans/{id}/progress")),
    "the feed of changes": (ReportKind.PROGRESS, a_list("/changes")),
}
OF_BUYERS: Final[Mapping[str, tuple[ReportKind, Asking]]] = {
    f"{kind} in a portfolio": (kind, the_portfolio(kind))
    for kind in (ReportKind.ASSESSMENT, ReportKind.IMPROVEMENT_PLAN, ReportKind.PROGRESS)
}


async def test_every_way_to_read_shows_what_the_model_says(tmp_path: Path, crash_seed: int) -> None:
    print(f"seed {crash_seed}")  # noqa: T201 - the seed repeats the run
    chance, services = random.Random(crash_seed), EveryDocument(PLACES)
    shown = dict.fromkeys([*PATHS, *OF_BUYERS], 0)
    for number in range(WORLDS):
        world = a_world()
        folder = tmp_path / str(number)
        options: dict[str, Any] = {"document": DOCUMENT, "dev_users": USERS}
        async with a_following_gateway("inprocess", services, world._ledger, folder, **options) as door:
            door.gateway.app._proxy._replica._today = world.this_day
            for moment in range(MOMENTS):
                for step in range(STEPS):
                    a_step(world, chance, moment * STEPS + step)
                await world._ledger.heard()
                await compare(world, door, shown)
    assert all(shown.values()), "every way was shown something"


async def compare(world: World, door: Door, shown: dict[str, int]) -> None:
    for party in BUYERS:
        for name, (kind, asked) in {**PATHS, **OF_BUYERS}.items():
            found = await asked(door, f"buyer-{party}")
            wanted = {place for place in PLACES if world.model.may_see(party, place[0], kind, place[1], world.today)}
            assert found == wanted, f"{name} of {party} on {world.today}"
            shown[name] += len(found)
        for name, (_, asked) in PATHS.items():
            of_group = {place for place in PLACES if world.model.has(party, place[0])}
            assert await asked(door, f"group-{party}") == of_group, f"{name} of the group {party}"
