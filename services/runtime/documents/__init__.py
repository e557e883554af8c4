"""The documents port: collections of JSON documents, each written whole and only at the version that was read."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from services.runtime.documents.content import check_scalar

Document = dict[str, Any]
"""A JSON document. ``_id`` is a non-empty string; aggregates also carry ``version`` (an integer) and ``pending``.

``pending`` is a list of objects, each with a non-empty string ``id``. Integers fit 64 bits, numbers are finite, keys
are non-empty without dots, NUL or a leading ``$``, nesting ends at 100 levels, the whole at 16 MB: anything else
raises ``ValueError`` and is not written.
"""

Filter = Mapping[str, Any]
"""The MongoDB subset that every adapter answers alike.

``{path: scalar}``, ``$eq $ne $gt $gte $lt $lte $in $exists`` on dotted paths, ``{path: {"$elemMatch": {"$eq": x}}}``
for membership in an array of scalars, and ``$and`` / ``$or`` of such filters. Anything else raises ``ValueError``.

Null and missing are one to ``$eq``, ``$ne`` and ``$in``, two to ``$exists``. ``$gt $gte $lt $lte`` compare number with
number, string with string (by code point) and truth value with truth value, and never match another type. On a path
that holds or crosses an array only ``$elemMatch`` and ``$exists`` (at its end) are defined: for the others MongoDB
looks into the array and SQLite does not. A step of a path consists of ``A-Z a-z 0-9 _ : / @ -``, not of digits alone.
"""

Sort = Sequence[tuple[str, Literal[1, -1]]]
"""Paths with a direction; ``_id`` is always the last tie-breaker, in the direction of the last path.

A path holds one type of scalar in all documents of a sorted query, or null or nothing, which come first ascending and
last descending.
"""


class DuplicateKey(Exception):
    """The ``_id``, or a value under a unique index, is taken already."""


class InvalidCursor(ValueError):
    """The cursor is not one that a page of this query returned."""


class Index(msgspec.Struct, frozen=True):
    """An index over dotted paths that hold scalars; ``unique`` counts missing as null.

    ``sparse`` leaves out documents that have none of the paths.
    """

    paths: tuple[str, ...]
    unique: bool = False
    sparse: bool = False


class Page(msgspec.Struct, frozen=True):
    """One page of a query and the opaque cursor of the next (``None`` on the last page)."""

    documents: list[Document]
    next_cursor: str | None


class Collection(Protocol):
    """A named set of documents."""

    name: str

    async def get(self, document_id: str) -> Document | None:
        """Read one document, or ``None``."""

    async def insert(self, document: Document) -> None:
        """Add a document durably; raises ``DuplicateKey``."""

    async def replace(self, document: Document, *, if_version: int) -> bool:
        """Write the whole document durably if the stored ``version`` still equals ``if_version``; tell whether it did.

        Raises ``DuplicateKey`` when a unique index refuses the new content.
        """

    async def delete(self, document_id: str) -> bool:
        """Remove one document; tell whether there was one."""

    async def find(
        self,
        where: Filter | None = None,
        *,
        sort: Sort = (),
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Read one page in keyset order, starting behind the cursor ``after``; raises ``InvalidCursor``.

        A document that is in the collection during the whole walk appears once, whatever is added meanwhile.
        """

    async def count(self, where: Filter | None = None) -> int:
        """Count the documents that match."""

    async def holding_pending(self, *, limit: int) -> list[Document]:
        """Read documents whose array ``pending`` is not empty, at most ``limit``, in no promised order.

        This is the relay's scan: it uses an index and opens no span.
        """

    async def discard_pending(self, document_id: str, message_ids: Sequence[str]) -> None:
        """Take exactly the elements with these ``id`` values out of ``pending``, atomically; ``version`` stays.

        A concurrent ``replace`` of a document read before this may write the elements back: they are then published
        once more, which listeners bear.
        """


class Documents(Protocol):
    """One database: the collections of one service."""

    async def start(self) -> None:
        """Connect and create the indexes that ``collection`` declared; safe to repeat."""

    async def stop(self) -> None:
        """Finish what was accepted and let go of every resource; ``start`` may follow."""

    async def ping(self) -> None:
        """Return when a read was answered; raise when the database cannot serve."""

    def collection(self, name: str, indexes: Sequence[Index] = ()) -> Collection:
        """Declare a collection and its indexes; call before ``start``."""


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """The value under a dotted path, ``None`` where there is none."""
    value: Any = document
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def keyset(sort: Sort) -> list[tuple[str, Literal[1, -1]]]:
    """The full order of a query: the asked one with ``_id`` as the last tie-breaker."""
    if any(path == "_id" for path, _ in sort):
        return list(sort)
    return [*sort, ("_id", sort[-1][1] if sort else 1)]


class _Cursor(msgspec.Struct, array_like=True):
    order: str
    values: list[str | int | float | bool | None]


def cursor_of(document: Document, sort: Sort) -> str:
    """The opaque cursor that continues behind ``document``; raises ``ValueError`` where a sorted value is no scalar."""
    values = [value_at(document, path) for path, _ in keyset(sort)]
    for value in values:
        check_scalar(value)
    content = msgspec.json.encode(_Cursor(_order_name(sort), values))
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def values_of(cursor: str, sort: Sort) -> list[Any]:
    """The sorted values of the document that the cursor was made from; raises ``InvalidCursor``."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True)
        read = msgspec.json.decode(content, type=_Cursor)
        for value in read.values:
            check_scalar(value)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidCursor("The cursor was not issued by this list.") from error
    if read.order != _order_name(sort) or len(read.values) != len(keyset(sort)):
        raise InvalidCursor("The cursor belongs to another order.")
    return read.values


def behind(cursor: str, sort: Sort) -> Filter:
    """The filter for everything behind a cursor in keyset order; raises ``InvalidCursor``."""
    steps: list[Filter] = []
    equal: dict[str, Any] = {}
    for (path, direction), value in zip(keyset(sort), values_of(cursor, sort), strict=True):
        steps += [{**equal, path: bound} for bound in _beyond(path, direction, value)]
        equal[path] = value
    return {"$or": steps}


def _beyond(path: str, direction: Literal[1, -1], value: Any) -> list[Any]:
    if direction == 1:
        return [{"$ne": None} if value is None else {"$gt": value}]
    if value is None:
        return []
    return [{"$lt": value}] if path == "_id" else [{"$lt": value}, None]


def _order_name(sort: Sort) -> str:
    return ",".join(f"{path} {direction}" for path, direction in keyset(sort))
