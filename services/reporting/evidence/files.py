"""Where the files of reports lie: a snapshot under its own hash, and the documents made from it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from services.reporting.domain.report import Report
from services.reporting.domain.snapshot import Snapshot, fingerprint
from services.reporting.evidence.sheet import sheet_of
from services.reporting.evidence.typesetting import Typesetter
from services.runtime.files import ChecksumMismatch, FileMissing, Files

MAX_SNAPSHOT_BYTES: Final = 64 * 1024 * 1024
MAX_PDF_BYTES: Final = 64 * 1024 * 1024


class ReportFiles:
    """The files of reports.

    A document is typeset when somebody first asks for it and kept from then on. Freezing never waits for it or fails
    with it, an import of hundreds of visits makes no document that nobody reads, and a lost one is made again from
    the snapshot, byte for byte.
    """

    def __init__(self, files: Files, typesetter: Typesetter) -> None:
        self._files = files
        self._typesetter = typesetter
        self._one_at_a_time = asyncio.Lock()

    async def keep_snapshot(self, report_id: str, content: bytes) -> str:
        """Store the canonical bytes of a snapshot and return their SHA-256; the same bytes again change nothing."""
        sha256 = fingerprint(content)
        await self._files.put(
            _snapshot_key(report_id, sha256),
            _once(content),
            content_type="application/json",
            max_bytes=MAX_SNAPSHOT_BYTES,
            sha256=sha256,
        )
        return sha256

    async def snapshot(self, report: Report) -> bytes:
        """The canonical bytes of a report's snapshot; raises ``FileMissing`` and ``ChecksumMismatch``."""
        content = await self._read(_snapshot_key(report.id, report.sha256))
        if fingerprint(content) != report.sha256:
            raise ChecksumMismatch("The snapshot is not the one that was frozen.")
        return content

    async def edition(self) -> str:
        """The edition of the documents that are made here now."""
        return await self._typesetter.edition()

    async def pdf(self, report: Report, language: str) -> bytes:
        """The document of a report in a language that it is offered in; raises ``CannotBePrinted``."""
        key = _pdf_key(report, language, await self.edition())
        if (stored := await self._stored(key)) is not None:
            return stored
        async with self._one_at_a_time:
            if (stored := await self._stored(key)) is not None:
                return stored
            snapshot = msgspec.json.decode(await self.snapshot(report), type=Snapshot)
            made_at = datetime.fromisoformat(snapshot.finalised_at).astimezone(UTC)
            document = await self._typesetter.pdf(sheet_of(snapshot, report, language), made_at=made_at)
            await self._files.put(key, _once(document), content_type="application/pdf", max_bytes=MAX_PDF_BYTES)
            return document

    async def _stored(self, key: str) -> bytes | None:
        """A document made earlier; ``None`` when there is none, or when its bytes have been damaged since."""
        try:
            return await self._read(key)
        except (FileMissing, ChecksumMismatch):
            return None

    async def _read(self, key: str) -> bytes:
        return b"".join([chunk async for chunk in self._files.stream(key)])


def _snapshot_key(report_id: str, sha256: str) -> str:
    return f"snapshots/{report_id}/{sha256}.json"


def _pdf_key(report: Report, language: str, edition: str) -> str:
    """Everything that shapes the document is in its key, so that a kept one is never out of date."""
    return f"documents/{report.id}/{report.sha256[:16]}.{report.stage}.{language}.{edition}.pdf"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
