"""The read log names the purposes of all grants that a read rests on, however many grants there are."""

from pathlib import Path

import pytest

from contracts.reads import MOST_GROUNDS, MOST_READS
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


async def test_however_many_grants_there_are_a_page_of_the_most_reads_is_put_on_record(tmp_path: Path) -> None:
    async with access(tmp_path) as service:
        for number in range(MOST_GROUNDS):
            purpose = f"{number:03d}" + "東" * 497
            await service.post("/api/v1/grants", FACTORY, a_grant(f"g{number}", purpose=purpose))
        every = tuple(f"g{number}" for number in range(MOST_GROUNDS))
        reads = [a_read(f"r{number}", grounds=every) for number in range(MOST_READS)]
        assert (await record(service, "batch", *reads)).status_code == 204
        newest = (await listed(service, FACTORY))[0]
    assert newest["grounds"] == list(every)
    assert [purpose[:3] for purpose in newest["purposes"]] == ["000", "001", "002", "003", "004"]
