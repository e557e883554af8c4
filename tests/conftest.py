"""Servers that a whole test run shares; each starts with the first test that asks for it. And the options."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import RabbitMQ, S3Endpoint, minio, mongo, rabbitmq, versitygw

TESTS = Path(__file__).parent
WITH_SERVERS = {"journeys", "runtime"}
settings.register_profile("star", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("star")  # what a busy machine does slowly is no failure
WHOLE_COUNTRIES = {"chaos", "client", "crash", "deploy", "journeys"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=20, help="how many processes tests/crash kills (make test-crash: 200)"
    )
    parser.addoption(
        "--crash-seed", type=int, default=None, help="repeat a run of tests/crash with the seed it printed"
    )
    parser.addoption("--reads", type=int, default=8_000, help="how often tests/chaos reads (make chaos: 1,000,000)")
    parser.addoption("--revokes", type=int, default=120, help="how often tests/chaos revokes (make chaos: 10,000)")
    parser.addoption("--decisions", type=int, default=30_000, help="how many decisions are compared with the model")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file, or a folder that shares servers, on one worker; whole countries are slow."""
    for item in items:
        place = item.path.relative_to(TESTS)
        folder = place.parts[0]
        item.add_marker(pytest.mark.xdist_group(str(place.parent if folder in WITH_SERVERS else place)))
        if folder in WHOLE_COUNTRIES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def kills(pytestconfig: pytest.Config) -> int:
    found: int = pytestconfig.getoption("--kills")
    return found


@pytest.fixture
def crash_seed(pytestconfig: pytest.Config) -> int:
    """The seed of a random run; printed by the test, given again to repeat it."""
    given: int | None = pytestconfig.getoption("--crash-seed")
    return secrets.randbelow(10**6) if given is None else given


@pytest.fixture
def reads(pytestconfig: pytest.Config) -> int:
    found: int = pytestconfig.getoption("--reads")
    return found


@pytest.fixture
def revokes(pytestconfig: pytest.Config) -> int:
    found: int = pytestconfig.getoption("--revokes")
    return found


@pytest.fixture
def decisions(pytestconfig: pytest.Config) -> int:
    found: int = pytestconfig.getoption("--decisions")
    return found


@pytest.fixture(scope="session")
def minio_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with minio(tmp_path_factory.mktemp("minio")) as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def versitygw_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with versitygw(tmp_path_factory.mktemp("versitygw")) as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mongo(tmp_path_factory.mktemp("mongo")) as server:
        yield server.url


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """The node itself, for tests that stop it; they start it again."""
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture(scope="session")
def amqp_url(rabbitmq_server: RabbitMQ) -> str:
    return rabbitmq_server.url
