"""A country of its own process for imports: the demo questionnaire and factories, and files of their results."""

import asyncio
import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from contracts.identifiers import Id
from deploy.demo.load import publish, register
from deploy.demo.people import factory_id
from deploy.demo.results import assessment
from deploy.importer import Progress, import_results
from deploy.results_file import Rejection
from services.assessment.domain.results import COLUMNS
from tests.support.star import StarRun

FACTORIES = 40
Row = list[str]
Columns = {name: position for position, name in enumerate(COLUMNS)}


class Country(msgspec.Struct):
    """A running country, and which visits of it no test has used yet."""

    star: StarRun
    questionnaire: Any
    unused: Iterator[tuple[int, int]]

    def visit(self, rows: int | None = None) -> "Visit":
        """A visit that nobody has imported, with its first rows or all of them."""
        factory, cycle = next(self.unused)
        return Visit(factory, list(itertools.islice(assessment(factory, cycle, self.questionnaire), rows)))


class Visit(msgspec.Struct):
    """The rows of one visit, and the number of its factory."""

    factory: int
    rows: list[Row]

    @property
    def id(self) -> Id:
        """Its Quest id."""
        return self.rows[0][Columns["Quest id"]]

    @property
    def factory_id(self) -> Id:
        """The id of its factory."""
        return factory_id(self.factory)

    @property
    def findings(self) -> int:
        """How many rows are findings."""
        return sum(row[Columns["type"]] == "NCQ" and row[Columns["finding"]] == "1" for row in self.rows)

    def position(self, question_id: str) -> int:
        """Where the row of a question stands, from 0."""
        return next(n for n, row in enumerate(self.rows) if row[Columns["Question id"]] == question_id)


class Outcome(msgspec.Struct):
    """What became of an import."""

    progress: Progress
    rejected: list[Rejection]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Rows imported, unchanged and rejected."""
        return self.progress.imported, self.progress.unchanged, self.progress.rejected

    @property
    def told(self) -> list[tuple[int, str]]:
        """Every rejection with its line and reason."""
        return [(each.line, each.reason) for each in self.rejected]


async def started(folder: Path, factories: int = FACTORIES) -> Country:
    """Start an empty country with the demo questionnaire and factories."""
    star = StarRun(folder)
    await star.start()
    async with star.as_user() as admin:
        questionnaire = await publish(admin)
        await register(admin, factories=factories, buyers=1)
    visits = ((factory, cycle) for cycle in (1, 2, 3) for factory in range(1, factories + 1))
    return Country(star, questionnaire, visits)


def running_country(folder: Path, factories: int = FACTORIES) -> Iterator[Country]:
    """What a fixture yields: a country for many tests, ended after the last."""
    with ThreadPoolExecutor(1) as beside:  # the event loops of the tests are theirs
        country = beside.submit(asyncio.run, started(folder, factories)).result()
    yield country
    country.star.close()


def a_file(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = COLUMNS, **dialect: Any) -> Path:
    """Write rows as a results file."""
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows([header, *rows])
    path.write_bytes(text.getvalue().encode())
    return path


async def imported(star: StarRun, path: Path, hear: Callable[[Progress], None] = lambda _: None) -> Outcome:
    """Import a file as the administrator; raises what the importer raises."""
    rejected: list[Rejection] = []

    def report(progress: Progress, fresh: Sequence[Rejection]) -> None:
        rejected.extend(fresh)
        hear(progress)

    async with star.as_user() as admin:
        return Outcome(await import_results(admin, path, report), rejected)


async def exported(star: StarRun) -> bytes:
    """Everything finalised, as the API exports it."""
    async with star.as_user() as admin:
        return b"".join([chunk async for chunk in admin.stream("/results")])
