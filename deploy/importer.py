"""Sends a results file in the long format to the API in chunks: restartable, idempotent, in constant memory."""

import asyncio
import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import stamina

from deploy.client import Client, Refused

ROWS_PER_CHUNK = 4_000
FIRST_ROW_LINE = 2
SPREADSHEET_FIELD_LIMIT = 1_000_000
TRANSIENT_STATUSES = frozenset({429, 502, 503, 504})


class Rejection(msgspec.Struct, frozen=True):
    """A row that was not imported, by its line in the file (the header is line 1)."""

    line: int
    reason: str


class Progress(msgspec.Struct):
    """How far an import has come; ``rejected`` grows with bad rows only."""

    lines: int = 0
    imported: int = 0
    unchanged: int = 0
    finalised: int = 0
    rejected: list[Rejection] = msgspec.field(default_factory=list)
    refused: list[str] = msgspec.field(default_factory=list)


Report = Callable[[Progress], None]


class UnreadableFile(Exception):
    """The file is not CSV in UTF-8, or has no header."""


def sha256_of(path: Path) -> str:
    """The fingerprint that makes an import of the same file the same import."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def import_results(client: Client, path: Path, report: Report) -> Progress:
    """Import a file and finalise its visits; call again after any interruption and it goes on where it was.

    Bad rows are collected with line and reason, good ones are imported. Raises ``Refused`` when the file as a whole
    cannot be taken, and ``UnreadableFile``.
    """
    progress = Progress()
    fingerprint = await asyncio.to_thread(sha256_of, path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        csv.field_size_limit(SPREADSHEET_FIELD_LIMIT)
        rows = csv.reader(file)
        header = next(_readable(rows), None)
        if not header:
            raise UnreadableFile("The file is empty: its first line must name the columns.")
        started = await client.post("/imports", {"file_sha256": fingerprint, "header": header})
        await _send_rows(client, started, _readable(rows), progress, report)
    await _complete(client, started["id"], progress, report)
    return progress


async def _send_rows(
    client: Client, started: dict[str, object], rows: Iterator[list[str]], progress: Progress, report: Report
) -> None:
    """Send what lies behind the checkpoint, a chunk at a time."""
    line = FIRST_ROW_LINE
    checkpoint = int(str(started["next_line"]))
    while chunk := list(islice(rows, ROWS_PER_CHUNK)):
        after = line + len(chunk)
        if after > checkpoint:
            answer = await _post(client, f"/imports/{started['id']}/rows?first_line={line}", _csv_of(chunk))
            progress.imported += answer["imported"]
            progress.unchanged += answer["unchanged"]
            progress.rejected += msgspec.convert(answer["rejected"], list[Rejection])
        line = after
        progress.lines = line - FIRST_ROW_LINE
        report(progress)


async def _complete(client: Client, import_id: str, progress: Progress, report: Report) -> None:
    """Finalise the visits of the import in bounded steps."""
    remaining = 1
    while remaining:
        answer = await _post(client, f"/imports/{import_id}/completion", None)
        progress.finalised += answer["finalised"]
        progress.refused += [str(reason) for reason in answer["refused"]]
        remaining = answer["remaining"]
        report(progress)


def _is_transient(error: Exception) -> bool:
    if isinstance(error, Refused):
        return error.status in TRANSIENT_STATUSES
    return isinstance(error, aiohttp.ClientError | TimeoutError)


@stamina.retry(on=_is_transient, attempts=10, timeout=120)
async def _post(client: Client, path: str, data: bytes | None) -> dict[str, Any]:
    """Post one chunk; sending it again is harmless, so a bad line is simply tried again."""
    answer: dict[str, Any] = await client.post(path, data=data, media_type="text/csv" if data else "")
    return answer


def _csv_of(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _readable(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows of a reader; raises ``UnreadableFile`` with the place where it stops being CSV."""
    count = 0
    try:
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the count is for the message
            yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(f"Not readable as CSV in UTF-8 after record {count}: {error}") from error
