"""Four times the rows take no more memory, neither in the client nor in the server."""

from pathlib import Path

from tests.bench.measuring import Measured, measured, prepared, written
from tests.support.star import StarRun

SHORT, LONG = 30, 120
GROWTH = 1.25
"""What the measure may differ by; a file kept whole would add far more."""


async def _import(folder: Path, factories: int) -> Measured:
    star = StarRun(folder)
    await star.start()
    try:
        questionnaire = await prepared(star, factories)
        written(folder / "results.csv", questionnaire, factories=factories, cycles=1)
        return await measured(star, folder / "results.csv", is_completed=False)
    finally:
        star.close()


async def test_four_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    short, long = await _import(tmp_path / "short", SHORT), await _import(tmp_path / "long", LONG)
    assert long.rows == 4 * short.rows
    assert long.samples[-1].client_mib <= GROWTH * short.samples[-1].client_mib
    assert long.samples[-1].server_mib <= GROWTH * short.samples[-1].server_mib
