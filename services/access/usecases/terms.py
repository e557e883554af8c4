"""Publishing the terms of the programme with the document that parties read and accept."""

from collections.abc import AsyncIterator
from datetime import datetime

from uuid_utils.compat import uuid7

from contracts.errors import Refusal
from services.access.domain.paper import PDF
from services.access.domain.terms import Terms
from services.access.evidence import Papers
from services.access.store.organisations import TermsRecords


async def publish(
    terms_records: TermsRecords, papers: Papers, version: str, body: AsyncIterator[bytes], *, by: str, now: datetime
) -> Terms:
    """Publish a version with its PDF; the same document again changes nothing.

    A version that an earlier release published by its digest alone gets its document. Raises ``UnknownFileType``,
    ``FileTooLarge``, and ``Conflict`` when the version has another text.
    """
    key = f"terms/{version}/{uuid7()}"
    paper = await papers.keep(key, body, allowed=frozenset({PDF}), by=by, now=now)
    terms = Terms(version=version, document_sha256=paper.sha256, published_at=now, document=paper)
    try:
        kept = await terms_records.publish(terms)
    except Refusal:
        await papers.discard(paper)
        raise
    if kept.document != paper:
        await papers.discard(paper)
    return kept
