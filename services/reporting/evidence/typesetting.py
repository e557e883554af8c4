"""Typesetting: a sheet in, a PDF out, always the same bytes for the same sheet.

Only the fonts of this service are used. The sheet reaches Typst as data, so that no name is ever read as code.
"""

import asyncio
import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from contracts.errors import Refusal
from services.reporting.evidence.print_safe import FONTS
from services.reporting.evidence.sheet import Sheet
from services.reporting.evidence.words import FOLDER as LABELS

if TYPE_CHECKING:
    import typst

logger = logging.getLogger(__name__)
SERVICE: Final = Path(__file__).resolve().parent.parent
TEMPLATE: Final = SERVICE / "template" / "report.typ"
STANDARDS: Final[tuple["typst.PDFStandard", ...]] = ("a-2b", "ua-1")
"""For archives (PDF/A-2b) and for screen readers (PDF/UA-1)."""


class CannotBePrinted(Refusal):
    """The document could not be typeset; the report itself is safe and can be read."""

    status = 503
    code = "cannot_be_printed"


class Typesetter:
    """Typesets one document at a time in a thread: Typst takes about 0.1 s, in which the event loop goes on."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="typesetting")

    async def pdf(self, sheet: Sheet, *, made_at: datetime) -> bytes:
        """The document of a sheet, dated ``made_at``; raises ``CannotBePrinted``."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, typeset, sheet, made_at)

    async def edition(self) -> str:
        """The edition of what is typeset here: see ``edition``."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, edition)


def typeset(sheet: Sheet, made_at: datetime) -> bytes:
    """Typeset in this thread; raises ``CannotBePrinted``."""
    data = msgspec.json.encode(sheet).decode()
    try:
        document = _compiler().compile(
            TEMPLATE,
            format="pdf",
            sys_inputs={"sheet": data},
            pdf_standards=list(STANDARDS),
            timestamp=int(made_at.timestamp()),
        )
    except BaseException as error:  # a panic in Typst's Rust code is no Exception, and must not end the process
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        logger.exception("a report could not be typeset")
        raise CannotBePrinted("The document could not be made; the report can still be read as JSON.") from error
    if not isinstance(document, bytes):
        raise CannotBePrinted("Typst gave no document.")
    return document


@cache
def _compiler() -> "typst.Compiler":
    """The compiler with our fonts alone: what a machine has installed must not change a document."""
    import typst  # noqa: PLC0415 - 84 MB of code that most processes never need

    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])
    return typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=fonts, ignore_system_fonts=True)


@cache
def edition() -> str:
    """A short fingerprint of everything but the sheet that shapes a document: Typst, fonts, template, words, code."""
    digest = hashlib.sha256(version("typst").encode())
    for folder in (FONTS, TEMPLATE.parent, LABELS, Path(__file__).parent):
        for path in sorted(folder.iterdir()):
            if path.suffix in {".json", ".py", ".ttf", ".txt", ".typ"}:
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
