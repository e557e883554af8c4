"""What the lists of this service have in common: a page, its cursor, and the parameters that ask for it."""

from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.params import Parameter

from contracts.identifiers import ID_PATTERN

T = TypeVar("T")

Cursor = Annotated[str | None, Parameter(query="cursor", description="The next_cursor of the page before")]
OwnId = Annotated[
    str | None,
    Parameter(query="id", pattern=ID_PATTERN, description="The client's own id, which makes the creation idempotent"),
]


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list; without ``next_cursor`` it is the last."""

    items: list[T]
    next_cursor: str | None
