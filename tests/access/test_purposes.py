"""The read log names the purposes of all grants that a read rests on, however many grants there are."""

from pathlib import Path

import pytest

from services.access.usecases import reads as usecases
from tests.access.logs import a_read
from tests.access.parties import FACTORY, a_grant, access
from tests.access.test_read_log import listed, record


async def test_what_is_forgotten_to_save_room_is_looked_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usecases, "MOST_PURPOSES", 1)
    async with access(tmp_path) as service:
        for grant_id, purpose in (("g1", "Due diligence"), ("g2", "Sourcing")):
            await service.post("/api/v1/grants", FACTORY, a_grant(grant_id, purpose=purpose))
        await record(service, "first", a_read("r1", grounds=("g1",)))
        await record(service, "second", a_read("r2", grounds=("g1", "g2")))
        newest, oldest = await listed(service, FACTORY)
    assert (oldest["purposes"], newest["purposes"]) == (["Due diligence"], ["Due diligence", "Sourcing"])
