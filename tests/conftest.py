"""Servers that a whole test run shares; each starts with the first test that asks for it."""

from collections.abc import Iterator

import pytest

from tests.servers import RabbitMQ, S3Endpoint, minio, mongo, rabbitmq, versitygw


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
