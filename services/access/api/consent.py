"""The HTTP routes of the ledger: its export, and the feed that gateways follow."""

from typing import Annotated

from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from contracts.access import ConsentAnswer
from contracts.permissions import Permission
from services.access.queries import grants as queries
from services.access.store.ledger import Ledger
from services.access.usecases.consent import Consent
from services.runtime.http import Injected, requires

NDJSON = "application/x-ndjson"
GatewayName = Annotated[str, Parameter(pattern=r"^[A-Za-z0-9._-]{1,200}$")]


@get(
    "/consent-ledger",
    guards=[requires(Permission.CONSENT_EXPORT)],
    media_type=NDJSON,
    responses={
        200: ResponseSpec(bytes, description="An entry a line", media_type=NDJSON, generate_examples=False),
    },
)
async def export_ledger(ledger: Injected[Ledger]) -> Stream:
    """Export the whole consent ledger, which proves offline that nothing was changed or left out."""
    headers = {"content-disposition": 'attachment; filename="consent-ledger.ndjson"'}
    return Stream(queries.export_ledger(ledger), headers=headers, media_type=NDJSON)


@get("/consent", guards=[requires(Permission.CONSENT_FOLLOW)], include_in_schema=False)
async def follow_consent(
    consent: Injected[Consent],
    gateway: GatewayName,
    after: Annotated[int, Parameter(ge=0)] = 0,
    entry_hash: Annotated[str, Parameter(query="hash", pattern=r"^[0-9a-f]{0,64}$")] = "",
    wait_s: Annotated[float, Parameter(ge=0, le=60)] = 0.0,
) -> ConsentAnswer:
    """Follow the ledger behind an epoch, waiting a while for news; asking acknowledges what was read before."""
    return await consent.follow(gateway, after=after, entry_hash=entry_hash, wait_s=wait_s)


HANDLERS = (export_ledger,)
INTERNAL = (follow_consent,)
