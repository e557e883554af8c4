"""A running remediation service for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.remediation.app import make_service
from tests.support.services import Running, running_service


@pytest.fixture
async def remediation(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(make_service, tmp_path) as running:
        yield running
