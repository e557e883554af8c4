"""The two places where the contract of the bus is put to the test."""

from pathlib import Path

import pytest

from tests.runtime.bus.stage import OnFile, OnRabbit, Stage


@pytest.fixture
def on_file(tmp_path: Path) -> OnFile:
    return OnFile(tmp_path / "bus.sqlite")


@pytest.fixture
def on_rabbit(amqp_url: str) -> OnRabbit:
    return OnRabbit(amqp_url)


@pytest.fixture(params=["on_file", pytest.param("on_rabbit", marks=pytest.mark.servers)])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.getfixturevalue(request.param)
    return found
