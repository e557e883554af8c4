"""Rows of the long format, and imports and exports of them as a client does."""

import csv
import io
from collections.abc import Sequence

import httpx

from services.assessment.domain.results import COLUMNS
from tests.assessment.samples import (
    ADMIN,
    begin,
    csv_of,
)
from tests.support.services import Running

PLACES = {
    "exits_open": ("osh", "emergency_preparedness", "NCQ"),
    "exits_locked": ("osh", "emergency_preparedness", "NCQ"),
    "beds": ("osh", "worker_accommodation", "NCQ"),
    "crowded": ("osh", "worker_accommodation", "NCQ"),
}


def a_result(question_id: str = "exits_open", finding: str = "1", **changes: str) -> list[str]:
    """A row of the long format."""
    cluster, point, kind = PLACES.get(question_id, ("supplier_information", "", "FGW"))
    cells = {
        "Country": "JO",
        "Factory id": "OLD-1",
        "Cycle": "1",
        "Quest id": "1001",
        "start date": "2025-05-04",
        "TQ name": "Garment CAT",
        "Cluster": cluster,
        "CP": point,
        "Question id": question_id,
        "label": "",
        "type": kind,
        "tags": "",
        "finding": finding,
        **changes,
    }
    return [cells[column] for column in COLUMNS]


async def send(running: Running, import_id: str, rows: Sequence[Sequence[str]], first_line: int = 2) -> httpx.Response:
    path = f"/api/v1/imports/{import_id}/rows?first_line={first_line}"
    return await running.post(path, ADMIN, content=csv_of(rows))


async def imported(running: Running, *rows: list[str]) -> dict[str, object]:
    """Import the rows as a file of their own and return the answer to them."""
    import_id = await begin(running, csv_of(rows))
    answer = await send(running, import_id, rows)
    assert answer.status_code == 200, answer.text
    return {**answer.json(), "id": import_id}


async def complete(running: Running, import_id: object) -> dict[str, object]:
    body: dict[str, object] = (await running.post(f"/api/v1/imports/{import_id}/completion", ADMIN)).json()
    return body


async def exported(running: Running) -> list[list[str]]:
    answer = await running.get("/api/v1/results", ADMIN)
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.text, newline="")))
