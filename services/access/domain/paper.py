"""Papers that people signed: what a scan may be, told by its bytes and never by what the sender says of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

import msgspec

from contracts.errors import Malformed

LARGEST_BYTES: Final = 15 * 1024 * 1024
HEAD_BYTES: Final = 8
"""Bytes of a file that tell its type."""

PDF: Final = "application/pdf"
EXTENSIONS: Final[Mapping[str, str]] = {PDF: "pdf", "image/jpeg": "jpg", "image/png": "png"}
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
_MARKS: Final = ((b"%PDF-", PDF), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


class UnknownFileType(Malformed):
    """The bytes are none of the types that a paper may have."""

    code = "unknown_file_type"


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A stored paper; ``size`` in bytes, ``sha256`` in hex, ``added_by`` a subject."""

    key: str
    sha256: str
    size: int
    content_type: str
    added_by: str
    added_at: datetime


class ConsentPaper(msgspec.Struct, frozen=True, kw_only=True):
    """The scan of a paper on which a factory consented."""

    id: str
    factory_id: str
    paper: Paper


def content_type_of(head: bytes, allowed: frozenset[str] = frozenset(EXTENSIONS)) -> str:
    """The content type that the first ``HEAD_BYTES`` bytes tell; raises ``UnknownFileType``."""
    for mark, content_type in _MARKS:
        if content_type in allowed and head.startswith(mark):
            return content_type
    names = ", ".join(sorted(EXTENSIONS[each].upper() for each in allowed))
    raise UnknownFileType(f"The bytes must be one of: {names}.")
