"""An import goes on where it was, whoever died: nothing is lost and nothing is there twice."""

import asyncio
import contextlib
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.importer import Progress
from deploy.results_file import ROWS_PER_PIECE
from tests.bench.measuring import ROOT
from tests.deploy.country import Columns, Country, Row, a_file, exported, imported, running_country
from tests.support.star import environment, typed

VISITS = 34
"""How many visits a test imports: enough rows for several pieces."""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    """A country that may be killed; tests take visits of it that no other test uses."""
    yield from running_country(tmp_path_factory.mktemp("fresh"), factories=60)


@pytest.fixture
def rows(fresh: Country) -> list[Row]:
    """Enough rows for several pieces."""
    found = [row for _ in range(VISITS) for row in fresh.visit().rows]
    assert len(found) > 2 * ROWS_PER_PIECE
    return found


async def _is_whole(country: Country, rows: list[Row]) -> bool:
    """Whether exactly the answers of these rows are there, each once, of the visits that they are about."""
    wanted = sorted(map(_answer, rows))
    visits = {visit for visit, *_ in wanted}
    present = list(csv.reader((await exported(country.star)).decode().splitlines()))[1:]
    return sorted(answer for row in present if (answer := _answer(row))[0] in visits) == wanted


def _answer(row: Row) -> tuple[str, ...]:
    """Which question of which visit a row answers, and its finding; facts are exported in their normal form."""
    finding = row[Columns["finding"]] if row[Columns["type"]] == "NCQ" else ""
    return row[Columns["Quest id"]], row[Columns["Question id"]], finding


async def test_an_import_whose_client_was_killed_is_completed_by_the_same_command(
    fresh: Country, rows: list[Row], tmp_path: Path
) -> None:
    path = a_file(tmp_path / "results.csv", rows)
    sending = [sys.executable, "-m", "tests.bench.sending", fresh.star.url, str(path)]
    client = await asyncio.create_subprocess_exec(*sending, stdout=asyncio.subprocess.PIPE, env=environment(), cwd=ROOT)
    assert client.stdout is not None
    await client.stdout.readline()  # it has begun
    await client.stdout.readline()  # one piece has been answered
    client.kill()
    await client.communicate()
    done = await typed("import", path, "--url", fresh.star.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert await _is_whole(fresh, rows)


async def test_an_import_outlives_a_killed_server_that_comes_back(
    fresh: Country, rows: list[Row], tmp_path: Path
) -> None:
    pieces = asyncio.Event()

    def hear(progress: Progress) -> None:
        if progress.lines:
            pieces.set()

    importing = asyncio.create_task(imported(fresh.star, a_file(tmp_path / "results.csv", rows), hear))
    await pieces.wait()
    fresh.star.kill()
    await fresh.star.start()
    done = await importing
    assert done.progress.lines == len(rows)
    assert await _is_whole(fresh, rows)


async def test_an_import_that_gave_up_on_a_killed_server_is_completed_by_the_same_command(
    fresh: Country, rows: list[Row], tmp_path: Path
) -> None:
    path = a_file(tmp_path / "results.csv", rows)
    begun = asyncio.Event()
    importing = asyncio.create_task(imported(fresh.star, path, lambda _: begun.set()))
    await begun.wait()
    fresh.star.kill()
    importing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await importing
    await fresh.star.start()
    done = await typed("import", path, "--url", fresh.star.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert await _is_whole(fresh, rows)


async def test_rows_that_were_rejected_before_an_interruption_are_told_again(
    fresh: Country, rows: list[Row], tmp_path: Path
) -> None:
    rows[10][Columns["finding"]] = "2,5,7"
    path = a_file(tmp_path / "results.csv", rows)
    pieces = asyncio.Event()

    def hear(progress: Progress) -> None:
        if progress.lines:
            pieces.set()

    importing = asyncio.create_task(imported(fresh.star, path, hear))
    await pieces.wait()
    importing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await importing
    done = await imported(fresh.star, path)
    assert [line for line, _ in done.told] == [12]
    assert done.progress.rejected == 1


async def test_two_imports_of_the_same_file_at_once_end_as_one(fresh: Country, rows: list[Row], tmp_path: Path) -> None:
    path = a_file(tmp_path / "results.csv", rows)
    both = await asyncio.gather(imported(fresh.star, path), imported(fresh.star, path))
    assert [done.told for done in both] == [[], []]
    assert await _is_whole(fresh, rows)
