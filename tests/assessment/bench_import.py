"""Measures the import of results into one embedded service: ``python -m tests.assessment.bench_import [visits]``."""

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path

from services.assessment.app import make_service
from services.assessment.domain.xlsform import form_of
from services.assessment.evidence import sheets_of
from tests.assessment import samples
from tests.support.services import running_service

ROWS_A_PIECE = 10_000


def result_rows(visits: int) -> list[list[str]]:
    """Rated results for this many visits, some two hundred rows each, of a factory each."""
    form = form_of(sheets_of(samples.DEMO.read_bytes()), country="JO")
    rated = [question for question in form.questions if question.is_rated]
    return [
        [
            "JO",
            f"OLD-{visit}",
            "1",
            f"quest-{visit}",
            "2026-03-01",
            samples.TITLE,
            question.cluster,
            question.compliance_point or "",
            question.id,
            question.texts["en"],
            "NCQ",
            " ".join(question.tags),
            str(((visit + n) % 7 == 0 and 1) or 0),
        ]
        for visit in range(1, visits + 1)
        for n, question in enumerate(rated)
    ]


async def main(visits: int) -> None:
    """Import, complete and export, and print the rates."""
    rows = result_rows(visits)
    pieces = [samples.csv_of(rows[n : n + ROWS_A_PIECE]) for n in range(0, len(rows), ROWS_A_PIECE)]
    with tempfile.TemporaryDirectory() as folder:
        async with running_service(make_service, Path(folder)) as running:
            await samples.with_factories(running, visits)
            await samples.with_questionnaire(running, samples.DEMO.read_bytes())
            import_id = await samples.begin(running, b"".join(pieces))
            gc.collect()
            started = time.perf_counter()
            line = 2
            for piece in pieces:
                answer = await running.post(
                    f"/api/v1/imports/{import_id}/rows?first_line={line}", samples.ADMIN, content=piece
                )
                line = answer.json()["next_line"]
                assert not answer.json()["rejected"], answer.text[:500]
            imported = time.perf_counter()
            remaining = 1
            while remaining:
                answer = await running.post(f"/api/v1/imports/{import_id}/completion", samples.ADMIN)
                remaining = answer.json()["remaining"]
            completed = time.perf_counter()
            exported = await running.get("/api/v1/results", samples.ADMIN)
            done = time.perf_counter()
    lines = exported.content.count(b"\r\n") - 1
    report = [
        f"{len(rows)} rows of {visits} visits",
        f"rows only:           {len(rows) / (imported - started):8.0f} rows/s",
        f"rows and completion: {len(rows) / (completed - started):8.0f} rows/s",
        f"export:              {lines / (done - completed):8.0f} rows/s ({lines} rows)",
    ]
    sys.stdout.write("\n".join(report) + "\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
