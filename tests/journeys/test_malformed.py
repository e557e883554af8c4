"""Ten thousand malformed, oversized, replayed and forged requests: each refused politely, none told anything."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.journeys.country import Country, country_of, new_id
from tests.journeys.malformed import bodies, callers, directories, framing
from tests.journeys.malformed.attack import Attack, Ground
from tests.journeys.malformed.callers import Forger, Key
from tests.journeys.malformed.verdict import Verdicts
from tests.journeys.malformed.wire import NotHttp, exchanged
from tests.journeys.stage import the_stage
from tests.journeys.world import World, deployed_world, embedded_world

pytestmark = pytest.mark.timeout(600)

ATTACKS: Final = 10_000
ROUNDS: Final = 8
"""The attacks come in so many parts, no attack twice, so that what grows can be told from what is filled once."""

AT_ONCE: Final = 12
MOST_GROWTH_MIB: Final = 1.5
"""What a part may add: a leak adds to each of them, what is loaded or filled once does not."""

Make = Callable[[Ground], Attack]
MAKERS: Final[Mapping[Make, int]] = {
    bodies.broken_json: 10,
    bodies.truncated_json: 10,
    bodies.wrong_field: 16,
    bodies.wrong_kind_of_body: 4,
    bodies.wrong_query: 8,
    bodies.forged_cursor: 6,
    bodies.wrong_id: 8,
    bodies.another_s_thing: 8,
    bodies.replayed: 5,
    framing.wrong_line: 5,
    framing.wrong_header: 4,
    framing.huge_headers: 2,
    framing.wrong_length: 3,
    framing.two_framings: 3,
    framing.wrong_chunks: 3,
    framing.broken_off: 3,
    framing.noise: 2,
    callers.wrong_authorization: 4,
    callers.internal_headers: 8,
    directories.wrong_directory: 6,
}
FORGED: Final = 8
OVERSIZED_SHARE: Final = 0.004


class Attacked(msgspec.Struct, frozen=True):
    """A country of its own, because what is sent here leaves nothing as it was; and the process at its door."""

    world: World
    memory_mib: Callable[[], float]
    issuer_key: Key


@contextlib.contextmanager
def embedded_one(folder: Path) -> Iterator[Attacked]:
    with embedded_world(folder) as world:
        key = Ed25519PrivateKey.from_private_bytes((world.data / "dev_issuer.key").read_bytes())
        yield Attacked(world, lambda: world.memory_mib, key)


@contextlib.contextmanager
def deployed_one(folder: Path) -> Iterator[Attacked]:
    with deployed_world(folder) as world:
        issuer = world.deployment.issuer
        yield Attacked(world, lambda: world.deployment.memory_kib("gateway") / 1024, issuer._keys[issuer._current])


@pytest.fixture(params=[embedded_one, pytest.param(deployed_one, marks=pytest.mark.servers)])
def attacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Attacked]:
    """Both worlds, one after the other."""
    with request.param(tmp_path) as found:
        yield found


async def test_ten_thousand_wrong_requests_break_nothing_and_learn_nothing(attacked: Attacked, crash_seed: int) -> None:
    print(f"seed {crash_seed}")  # noqa: T201 - the seed repeats the run
    world = attacked.world
    async with country_of(world) as country:
        ground, canaries = await the_ground(country, crash_seed)
        attacks = made(ground, Forger(world.url, attacked.issuer_key, await world.sign_in(country.session)("admin")))
        verdicts, memory = Verdicts(ground, canaries), []
        for number in range(ROUNDS):
            await launched(world.url, attacks[number::ROUNDS], verdicts)
            assert await country.status("admin", "/factories") == 200, "the country still answers"
            memory.append(attacked.memory_mib())
    told = [f"{each:.1f}" for each in memory]
    print(f"{sum(verdicts.kinds.values())} attacks, statuses {dict(sorted(verdicts.statuses.items()))}")  # noqa: T201
    print(f"by kind {dict(verdicts.kinds)}, without an answer {dict(verdicts.unanswered)}")  # noqa: T201
    print(f"honestly unavailable {verdicts.unavailable}, MiB after each part:", *told)  # noqa: T201
    assert not verdicts.faults, "\n".join(verdicts.faults[:40])
    assert not [line for line in world.log_lines() if '"level": "ERROR"' in line]
    assert slope_of(memory[1:]) < MOST_GROWTH_MIB


def slope_of(values: list[float]) -> float:
    """What each adds to the one before: the median over all pairs (Theil and Sen), which one step moves little."""
    pairs = combinations(enumerate(values), 2)
    return median((after - before) / (late - early) for (early, before), (late, after) in pairs)


async def the_ground(country: Country, seed: int) -> tuple[Ground, list[str]]:
    """A stage with words on it that only its own people know, and everybody's tokens."""
    stage = await the_stage(country)
    await country.do("leader", "GET", f"/reports/{stage.ids['report_id']}/file")  # loads the typesetter: 30 MiB, once
    canaries = [f"canary{new_id().replace('-', '')}" for _ in range(2)]
    grant = {"factory_id": stage.ids["factory_id"], "buyer_id": stage.ids["buyer_id"], "purpose": canaries[0]}
    await country.do(stage.factory, "POST", "/grants", grant)
    line = f"/plans/{stage.ids['plan_id']}/lines/{stage.ids['line_id']}"
    await country.do(stage.factory, "PATCH", line, {"status": "in_progress", "action": canaries[1]})
    users = {
        "factory": stage.factory,
        "buyer": stage.buyer,
        "other_factory": stage.other_factory,
        "other_buyer": stage.other_buyer,
        "admin": "admin",
        "leader": "leader",
        "advisor": "advisor-1",
        "analyst": "analyst",
    }
    sign_in = country.world.sign_in(country.session)
    tokens = {name: await sign_in(user) for name, user in users.items()}
    return Ground(stage, tokens, random.Random(seed)), canaries


def made(ground: Ground, forger: Forger) -> list[Attack]:
    """The attacks, each made for itself."""
    makers: dict[Make, int] = {**MAKERS, partial(callers.forged_token, forger=forger): FORGED}
    chosen = ground.chance.choices(list(makers), list(makers.values()), k=ATTACKS)
    is_oversized = [ground.chance.random() < OVERSIZED_SHARE for _ in chosen]
    return [
        bodies.oversized_body(ground) if big else make(ground) for make, big in zip(chosen, is_oversized, strict=True)
    ]


async def launched(url: str, attacks: list[Attack], verdicts: Verdicts) -> None:
    """Send them all, some at a time."""
    waiting = iter(attacks)

    async def attacker() -> None:
        for attack in waiting:
            try:
                verdicts.judge(attack, await exchanged(url, attack.content, patience_s=attack.patience_s))
            except NotHttp as error:
                verdicts.broken(attack, error)

    await asyncio.gather(*(attacker() for _ in range(AT_ONCE)))
