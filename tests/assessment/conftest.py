"""A running assessment service in a temporary folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.assessment.app import make_service
from tests.support.services import Running, running_service


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(make_service, tmp_path) as service:
        yield service
