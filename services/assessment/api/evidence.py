"""The routes of evidence: photos and documents of a visit, streamed in and out, for staff only."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import Parameter
from litestar.response import Stream
from uuid_utils.compat import uuid7

from contracts.errors import NotFound
from contracts.identity import Principal
from contracts.permissions import Permission
from services.assessment.domain.evidence import LARGEST_BYTES
from services.assessment.evidence import Evidences
from services.assessment.store import Questionnaires, Visits
from services.assessment.usecases.visits import Upload, add_evidence
from services.runtime.http import Injected, requires
from services.runtime.openapi import of_bytes

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "application/pdf": "pdf"}


class EvidenceAdded(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored; the same bytes again are the same evidence."""

    id: str
    sha256: str
    size: int
    content_type: str


@post(
    "/visits/{visit_id:str}/evidence",
    guards=[requires(Permission.VISIT_ANSWER)],
    request_max_body_size=LARGEST_BYTES,
    operation_class=of_bytes(takes=tuple(EXTENSIONS)),
    summary="Add a photo or document (raw bytes: JPEG, PNG, WebP or PDF, at most 15 MB)",
)
async def add(
    visit_id: str,
    request: Request[object, object, State],
    principal: Injected[Principal],
    visits: Injected[Visits],
    questionnaires: Injected[Questionnaires],
    evidences: Injected[Evidences],
    question_id: Annotated[str | None, Parameter(query="question_id")] = None,
) -> EvidenceAdded:
    """The type is told by the bytes; what the request says of it is not looked at."""
    evidence = await add_evidence(
        visits,
        questionnaires,
        evidences,
        Upload(visit_id=visit_id, evidence_id=str(uuid7()), question_id=question_id),
        request.stream(),
        principal=principal,
        now=datetime.now(UTC),
    )
    return EvidenceAdded(id=evidence.id, sha256=evidence.sha256, size=evidence.size, content_type=evidence.content_type)


@get(
    "/visits/{visit_id:str}/evidence/{evidence_id:str}",
    guards=[requires(Permission.VISIT_READ)],
    operation_class=of_bytes(gives=tuple(EXTENSIONS)),
)
async def file(
    visit_id: str,
    evidence_id: str,
    principal: Injected[Principal],
    visits: Injected[Visits],
    evidences: Injected[Evidences],
) -> Stream:
    """The bytes as they were added."""
    visit = await visits.get(visit_id, principal.scope())
    found = next((each for each in visit.evidence if each.id == evidence_id), None)
    if found is None:
        raise NotFound("There is no such evidence.")
    headers = {
        "content-length": str(found.size),
        "content-disposition": f'inline; filename="{found.id}.{EXTENSIONS[found.content_type]}"',
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
    return Stream(await evidences.open(visit, found), headers=headers, media_type=found.content_type)
