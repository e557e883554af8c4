"""The routes of results in the long CSV format: import in pieces, export as a stream."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import Parameter
from litestar.response import Stream

from contracts.identity import Principal
from contracts.permissions import Permission
from services.assessment.domain.imports import Import, Rejection
from services.assessment.queries import results_csv
from services.assessment.store import Factories, Imports, Questionnaires, Visits
from services.assessment.usecases.imports import (
    Completed,
    RowsDone,
    Sources,
    begin_import,
    complete_import,
    import_rows,
)
from services.runtime.http import Injected, requires
from services.runtime.openapi import of_bytes

LARGEST_PIECE = 8 * 1024 * 1024
CSV = "text/csv; charset=utf-8"


class BeginImport(msgspec.Struct, frozen=True, kw_only=True):
    """The file to import, named by its SHA-256, and the cells of its first line."""

    file_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    header: Annotated[list[str], msgspec.Meta(max_length=200)]


class ImportView(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import has come; ``next_line`` is the line to send next, the header being line 1.

    ``rejections`` are the first hundred.
    """

    id: str
    next_line: int
    imported: int
    unchanged: int
    rejected: int
    rejections: tuple[Rejection, ...]
    completed_at: datetime | None


@post("/imports", guards=[requires(Permission.RESULTS_IMPORT)])
async def begin(data: BeginImport, principal: Injected[Principal], imports: Injected[Imports]) -> ImportView:
    """Begin an import, or go on with the one of the same file."""
    now = datetime.now(UTC)
    return _view(await begin_import(imports, data.file_sha256, data.header, principal=principal, now=now))


@post(
    "/imports/{import_id:str}/rows",
    guards=[requires(Permission.RESULTS_IMPORT)],
    request_max_body_size=LARGEST_PIECE,
    status_code=200,
    operation_class=of_bytes(takes=("text/csv",), may_be_empty=True),
    summary="Import rows (text/csv in UTF-8, whole records, no header, at most 8 MB)",
)
async def rows(
    import_id: str,
    first_line: Annotated[int, Parameter(query="first_line", ge=2)],
    request: Request[object, object, State],
    principal: Injected[Principal],
    imports: Injected[Imports],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
    factories: Injected[Factories],
) -> RowsDone:
    """Import the next rows; rows that came before may come again."""
    return await import_rows(
        Sources(imports, visits, questionnaires, factories),
        import_id,
        await request.body(),
        first_line=first_line,
        principal=principal,
        now=datetime.now(UTC),
    )


@post("/imports/{import_id:str}/completion", guards=[requires(Permission.RESULTS_IMPORT)], status_code=200)
async def complete(
    import_id: str,
    principal: Injected[Principal],
    imports: Injected[Imports],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
    factories: Injected[Factories],
) -> Completed:
    """Finalise imported visits, some per call; call again until ``remaining`` is 0."""
    sources = Sources(imports, visits, questionnaires, factories)
    return await complete_import(sources, import_id, principal=principal, now=datetime.now(UTC))


@get("/imports/{import_id:str}", guards=[requires(Permission.RESULTS_IMPORT)])
async def read(import_id: str, principal: Injected[Principal], imports: Injected[Imports]) -> ImportView:
    """How far an import has come."""
    return _view(await imports.get(import_id, principal.scope()))


@get("/results", guards=[requires(Permission.RESULTS_EXPORT)], media_type=CSV)
async def export(
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
    factories: Injected[Factories],
) -> Stream:
    """All finalised results, one row per answered question."""
    headers = {
        "content-disposition": 'attachment; filename="results.csv"',
        "x-content-type-options": "nosniff",
    }
    body = results_csv(visits, questionnaires, factories, principal.scope())
    return Stream(body, headers=headers, media_type=CSV)


def _view(present: Import) -> ImportView:
    return ImportView(
        id=present.id,
        next_line=present.next_line,
        imported=present.imported,
        unchanged=present.unchanged,
        rejected=present.rejected,
        rejections=present.rejections,
        completed_at=present.completed_at,
    )


ROUTES = [begin, rows, complete, read, export]
