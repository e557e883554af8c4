"""Identifiers: opaque, made at the edge, safe in a path, a file name and a document key."""

import uuid
from typing import Annotated, Final

import msgspec

ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}(?!\n)$"

Id = Annotated[
    str,
    msgspec.Meta(pattern=ID_PATTERN, description="Opaque id; a client may choose its own (UUIDv7 advised)"),
]
"""The id of a document. A client that sends its own makes the creation idempotent."""

_STAR: Final = uuid.UUID("6f1d2c58-0b6a-5c57-9a55-3e0d6a1f7c11")


def derived_id(*parts: str) -> str:
    """The same id for the same words in every process (UUIDv5), for documents that follow from others."""
    return str(uuid.uuid5(_STAR, "\x1f".join(parts)))
