"""This service's files: evidence told by its bytes, and uploaded workbooks, opened within limits."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import AsyncIterator
from typing import Final
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook as OpenBook
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from services.assessment.domain.evidence import HEAD_BYTES, LARGEST_BYTES, Evidence, content_type_of
from services.assessment.domain.questionnaire import Questionnaire, Workbook
from services.assessment.domain.sheets import Row, WorkbookFaulty
from services.assessment.domain.visit import Visit
from services.runtime.files import Files, StoredFile
from services.runtime.files.streams import begun, opened

LARGEST_WORKBOOK: Final = 5 * 1024 * 1024
LARGEST_UNPACKED: Final = 50 * 1024 * 1024
MOST_PARTS: Final = 500
MOST_ROWS: Final = 5_000
MOST_COLUMNS: Final = 200
SHEETS: Final = ("survey", "choices", "settings")
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


_BROKEN: Final = (
    AttributeError,
    EOFError,
    IndexError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What the readers raise for archives and sheets that are cut, encrypted or made up."""

_ENTITIES: Final = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def sheets_of(content: bytes) -> dict[str, list[Row]]:
    """The cells of an uploaded workbook's three sheets; blocks. Raises ``WorkbookFaulty``."""
    _refuse_bomb(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            return {name: _rows(book, name) for name in SHEETS if name in book.sheetnames}
        finally:
            book.close()
    except WorkbookFaulty:
        raise
    except (InvalidFileException, zipfile.BadZipFile, ParseError, *_BROKEN) as error:
        raise WorkbookFaulty("The file is not a readable .xlsx workbook.") from error


def _refuse_bomb(content: bytes) -> None:
    """Look at what a workbook would unpack to before anything is unpacked; reading never exceeds what it declares."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise WorkbookFaulty("The workbook unpacks to more than a questionnaire can need.")
            for part in parts:
                unpacked = packed.read(part)
                if any(mark in unpacked for mark in _ENTITIES):
                    raise WorkbookFaulty("The workbook declares entities, which no spreadsheet program does.")
    except (zipfile.BadZipFile, *_BROKEN) as error:
        raise WorkbookFaulty("The file is not an .xlsx workbook.") from error


def _rows(book: OpenBook, name: str) -> list[Row]:
    sheet = book[name]
    # What the file says of its size may be anything: count what is there.
    sheet.reset_dimensions()
    rows: list[Row] = list(sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS, values_only=True))
    if len(rows) > MOST_ROWS:
        raise WorkbookFaulty(f"{name} has more than {MOST_ROWS} rows.")
    return rows


class Evidences:
    """The files port as this service uses it."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def keep_workbook(self, questionnaire_id: str, content: bytes) -> Workbook:
        """Store an uploaded workbook as it came."""
        sha256 = hashlib.sha256(content).hexdigest()
        key = f"questionnaires/{questionnaire_id}/{sha256}.xlsx"
        stored = await self._files.put(
            key, _once(content), content_type=XLSX, max_bytes=LARGEST_WORKBOOK, sha256=sha256
        )
        return Workbook(key=key, sha256=sha256, size=stored.size)

    async def keep(self, visit_id: str, evidence_id: str, body: AsyncIterator[bytes]) -> StoredFile:
        """Stream evidence into the store; raises ``UnknownFileType`` and ``FileTooLarge``, keeping nothing then."""
        head, whole = await begun(body, HEAD_BYTES)
        content_type = content_type_of(head)
        key = _key(visit_id, evidence_id)
        return await self._files.put(key, whole, content_type=content_type, max_bytes=LARGEST_BYTES)

    async def discard(self, visit_id: str, evidence_id: str) -> None:
        """Remove a file that no visit lists."""
        await self._files.delete(_key(visit_id, evidence_id))

    async def open(self, visit: Visit, evidence: Evidence) -> AsyncIterator[bytes]:
        """The bytes of listed evidence; raises ``NotFound`` before the first one when they are gone."""
        return await opened(self._files, _key(visit.id, evidence.id))

    async def open_workbook(self, questionnaire: Questionnaire) -> AsyncIterator[bytes]:
        """The bytes of the workbook that a questionnaire was made from; raises ``NotFound``."""
        return await opened(self._files, questionnaire.workbook.key)


def _key(visit_id: str, evidence_id: str) -> str:
    return f"visits/{visit_id}/{evidence_id}"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
