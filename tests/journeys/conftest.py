"""The worlds of the journeys: each is started once per run, and every test takes parties of its own from it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.journeys.country import Country, country_of
from tests.journeys.world import DeployedWorld, EmbeddedWorld, World, deployed_world, embedded_world


@pytest.fixture(scope="session")
def embedded_country_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWorld]:
    with embedded_world(tmp_path_factory.mktemp("embedded")) as world:
        yield world


@pytest.fixture(scope="session")
def deployed_country_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedWorld]:
    with deployed_world(tmp_path_factory.mktemp("deployed")) as world:
        yield world


@pytest.fixture(params=["embedded", pytest.param("deployed", marks=pytest.mark.servers)], scope="session")
def world(request: pytest.FixtureRequest) -> World:
    """Both worlds, one after the other."""
    found: World = request.getfixturevalue(f"{request.param}_country_world")
    return found


@pytest.fixture
async def country(world: World) -> AsyncIterator[Country]:
    async with country_of(world) as country:
        yield country


@pytest.fixture
async def embedded_country(embedded_country_world: EmbeddedWorld) -> AsyncIterator[Country]:
    async with country_of(embedded_country_world) as country:
        yield country


@pytest.fixture
async def deployed_country(deployed_country_world: DeployedWorld) -> AsyncIterator[Country]:
    async with country_of(deployed_country_world) as country:
        yield country
