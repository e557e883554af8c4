"""After a withdrawal was confirmed nobody is shown what it took away, whatever fails at the same time."""

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest
import uvloop

from tests.chaos.country import LEASE_S, Country, make_ready, servers_in
from tests.chaos.reading import PATHS
from tests.chaos.staging import Run, run
from tests.chaos.truth import Judge
from tests.support.deployment import Deployment

pytestmark = [pytest.mark.servers, pytest.mark.crash, pytest.mark.timeout(4 * 3600)]

NOISE_S: Final = 5.0
"""What a busy machine may add to the lease for which a withdrawal waits at most."""

MANY: Final = 1_000
"""So many withdrawals meet gateways in trouble, whatever the seed."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with servers_in(tmp_path_factory.mktemp("chaos")) as found:
        yield found


def chaos_in(servers: Deployment, *, reads: int, withdrawals: int, seed: int, careless: str = "") -> Run:
    """A run in a country on these servers; that of a careless one ends with the first stale read."""

    async def main() -> Run:
        async with Country(servers, careless).running() as country:
            await make_ready(country)
            return await run(country, reads=reads, withdrawals=withdrawals, seed=seed, is_enough=is_enough)

    def is_enough(judge: Judge) -> bool:
        return bool(careless) and judge.stale.total() > 0

    print(f"seed {seed}")  # noqa: T201 - the seed repeats the run
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def test_nothing_is_shown_after_its_withdrawal_was_confirmed_whatever_fails(
    servers: Deployment, reads: int, revokes: int, crash_seed: int
) -> None:
    found = chaos_in(servers, reads=reads, withdrawals=revokes, seed=crash_seed)
    assert not found.judge.faults, "\n".join(found.judge.faults)
    assert found.judge.stale.total() == 0
    for path in PATHS:
        is_tried = found.judge.granted[path.name] > 0 or (path.may_lack and revokes < MANY)
        assert is_tried, f"{path.name} was never shown: nothing was tried"
    beside_trouble = found.of_other_gateways()
    assert beside_trouble or revokes < MANY
    assert all(each.took_s < LEASE_S + NOISE_S for each in beside_trouble)


@pytest.mark.parametrize("part", ["waiting", "guard"])
def test_the_judge_sees_a_country_in_which_a_part_is_missing(servers: Deployment, part: str, crash_seed: int) -> None:
    found = chaos_in(servers, reads=20_000, withdrawals=400, seed=crash_seed, careless=part)
    assert found.judge.stale.total() > 0
