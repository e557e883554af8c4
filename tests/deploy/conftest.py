"""One country for all imports; tests take visits of it that no other test uses."""

from collections.abc import Iterator

import pytest

from tests.deploy.country import Country, running_country


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    yield from running_country(tmp_path_factory.mktemp("country"))
