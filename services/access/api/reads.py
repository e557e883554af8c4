"""The HTTP routes of the read log: gateways put reads on record, a factory sees who read what of it."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from contracts.errors import Malformed
from contracts.identity import Principal
from contracts.permissions import Permission, scope_for
from contracts.reads import ReadBatch
from services.access.domain.reading import Head
from services.access.queries import reads as queries
from services.access.queries.reads import ReadList
from services.access.store.ledger import Ledger
from services.access.store.parties import Factories
from services.access.store.reads import Asked, ReadPages
from services.access.usecases.reads import Recording
from services.runtime.http import Injected, PageSize, requires

NDJSON = "application/x-ndjson"
RFC_3339 = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"
_DATE_TIME = {"format": "date-time"}
Since = Annotated[
    str | None,
    Parameter(pattern=RFC_3339, schema_extra=_DATE_TIME, description="Put on record at this moment or later"),
]
Until = Annotated[
    str | None, Parameter(pattern=RFC_3339, schema_extra=_DATE_TIME, description="Put on record before this moment")
]


@get("/reads", guards=[requires(Permission.READ_LOG_READ)])
async def list_reads(
    principal: Injected[Principal],
    read_pages: Injected[ReadPages],
    factory_id: str | None = None,
    buyer_id: str | None = None,
    since: Since = None,
    until: Until = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> ReadList:
    """List who read what of the caller's factory (administrators: of all), newest first.

    A read is put on record when its answer is about to be sent. Whether all of it arrived the log does not say.
    """
    asked = Asked(factory_id=factory_id, buyer_id=buyer_id, since=_moment(since), until=_moment(until))
    return await queries.list_reads(
        read_pages, scope_for(principal, Permission.READ_LOG_READ), asked, limit=limit, after=cursor
    )


def _moment(text: str | None) -> datetime | None:
    """A moment with its offset; raises ``Malformed``. A bare number, which would also pass for one, is none."""
    try:
        return msgspec.convert(text, datetime | None)
    except msgspec.ValidationError as error:
        raise Malformed("since and until are moments such as 2026-01-31T08:00:00Z.") from error


@get("/factories/{factory_id:str}/read-log/head", guards=[requires(Permission.READ_LOG_READ)])
async def read_head(
    principal: Injected[Principal], read_pages: Injected[ReadPages], factories: Injected[Factories], factory_id: str
) -> Head:
    """Read how far the read log of a factory goes, signed; keep it: a log that is cut off later shows against it."""
    return await queries.read_head(
        read_pages, factories, factory_id, scope_for(principal, Permission.READ_LOG_READ), now=datetime.now(UTC)
    )


@get(
    "/factories/{factory_id:str}/read-log",
    guards=[requires(Permission.READ_LOG_READ)],
    media_type=NDJSON,
    responses={200: ResponseSpec(bytes, description="A line each", media_type=NDJSON, generate_examples=False)},
)
async def export_reads(
    principal: Injected[Principal],
    read_pages: Injected[ReadPages],
    factories: Injected[Factories],
    ledger: Injected[Ledger],
    factory_id: str,
) -> Stream:
    """Export the whole read log of a factory, which proves offline that nothing was changed or left out."""
    scope = scope_for(principal, Permission.READ_LOG_READ)
    head = await queries.read_head(read_pages, factories, factory_id, scope, now=datetime.now(UTC))
    headers = {"content-disposition": f'attachment; filename="read-log-{factory_id}.ndjson"'}
    return Stream(queries.export_log(read_pages, ledger, scope, head), headers=headers, media_type=NDJSON)


@post("/reads", guards=[requires(Permission.READ_RECORD)], status_code=204, include_in_schema=False)
async def record_reads(recording: Injected[Recording], data: ReadBatch) -> None:
    """Put a batch of reads on record, before the gateway answers them."""
    await recording.record(data, now=datetime.now(UTC))


HANDLERS = (list_reads, read_head, export_reads)
INTERNAL = (record_reads,)
