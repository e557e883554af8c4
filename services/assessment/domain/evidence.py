"""Evidence: what a photo or document may be, told by its bytes and never by what the sender says of it."""

from datetime import datetime
from typing import Final

import msgspec

from contracts.errors import Malformed, RuleBroken

LARGEST_BYTES: Final = 15 * 1024 * 1024
MOST_PER_VISIT: Final = 500
HEAD_BYTES: Final = 12
"""Bytes of a file that tell its type."""


class UnknownFileType(Malformed):
    """The bytes are none of the types that evidence may have."""

    code = "unknown_file_type"


class TooMuchEvidence(RuleBroken):
    """A visit has room for a bounded number of files."""

    code = "too_much_evidence"


class UnknownEvidence(Malformed):
    """An answer may only point to evidence of its own visit."""

    code = "unknown_evidence"


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stored photo or document of a visit; ``size`` in bytes."""

    id: str
    sha256: str
    size: int
    content_type: str
    added_by: str
    added_at: datetime
    question_id: str | None = None


def content_type_of(head: bytes) -> str:
    """The content type that the first ``HEAD_BYTES`` bytes tell; raises ``UnknownFileType``."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    raise UnknownFileType("Evidence is a JPEG, PNG or WebP image or a PDF document.")
