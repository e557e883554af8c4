"""Sends a results file in the long format to the API: restartable, idempotent, in constant memory."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import stamina

from deploy.client import Client, Refused
from deploy.results_file import FIRST_ROW_LINE, Rejection, ResultsFile, looked_through, pieces

TRANSIENT_STATUSES = frozenset({408, 429, 502, 503, 504})


class Progress(msgspec.Struct):
    """How far an import has come; every number counts rows of the file, but ``finalised`` visits."""

    total: int
    lines: int = 0
    imported: int = 0
    unchanged: int = 0
    rejected: int = 0
    finalised: int = 0
    refused: list[str] = msgspec.field(default_factory=list)


Report = Callable[[Progress, Sequence[Rejection]], None]
"""Hears of progress, with the rows that were rejected since it heard last."""


async def import_results(client: Client, path: Path, report: Report) -> Progress:
    """Import a file and finalise its visits; call again after any interruption and it goes on where it was.

    Bad rows are reported with line and reason, good ones are imported. Raises ``UnreadableFile`` before anything is
    sent, and ``Refused`` when the API does not take the file.
    """
    file = await asyncio.to_thread(looked_through, path)
    started = await client.post("/imports", {"file_sha256": file.sha256, "header": file.header})
    progress = Progress(
        total=file.rows,
        lines=started["next_line"] - FIRST_ROW_LINE,
        imported=started["imported"],
        unchanged=started["unchanged"],
        rejected=started["rejected"],
    )
    report(progress, msgspec.convert(started["rejections"], list[Rejection]))
    await _send_rows(client, started["id"], file, progress, report)
    await _complete(client, started["id"], progress, report)
    return progress


async def _send_rows(client: Client, import_id: str, file: ResultsFile, progress: Progress, report: Report) -> None:
    """Send what lies behind the checkpoint, a piece at a time."""
    checkpoint = progress.lines + FIRST_ROW_LINE
    remaining = (piece for piece in pieces(file) if piece.next_line > checkpoint)
    while piece := await asyncio.to_thread(next, remaining, None):
        path = f"/imports/{import_id}/rows?first_line={piece.first_line}"
        answer = await _post(client, path, data=piece.content, media_type="text/csv")
        rejected = [*piece.rejected, *msgspec.convert(answer["rejected"], list[Rejection])]
        progress.lines = piece.next_line - FIRST_ROW_LINE
        progress.imported += answer["imported"]
        progress.unchanged += answer["unchanged"]
        progress.rejected += len(rejected)
        report(progress, sorted(rejected, key=lambda each: each.line))


async def _complete(client: Client, import_id: str, progress: Progress, report: Report) -> None:
    """Finalise the visits of the import in bounded steps."""
    remaining = 1
    while remaining:
        answer = await _post(client, f"/imports/{import_id}/completion")
        progress.finalised += answer["finalised"]
        progress.refused += [f"{each['visit_id']}: {each['reason']}" for each in answer["refused"]]
        remaining = answer["remaining"]
        report(progress, ())


def _is_transient(error: Exception) -> bool:
    if isinstance(error, Refused):
        return error.status in TRANSIENT_STATUSES
    return isinstance(error, aiohttp.ClientError | TimeoutError)


@stamina.retry(on=_is_transient, attempts=10, timeout=120)
async def _post(client: Client, path: str, *, data: bytes | None = None, media_type: str = "") -> dict[str, Any]:
    """Post; sending anything of an import again is harmless, so a bad line is simply tried again."""
    answer: dict[str, Any] = await client.post(path, data=data, media_type=media_type)
    return answer
