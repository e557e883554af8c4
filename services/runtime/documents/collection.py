"""What every adapter's collection does alike: refuse what the port does not promise, trace, and page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from opentelemetry import trace

from services.runtime.documents import Document, Filter, Page, Sort, behind, cursor_of, keyset, values_of
from services.runtime.documents.content import check_document
from services.runtime.documents.filters import check_path, parse

_tracer = trace.get_tracer("star.documents")


class Store(Protocol):
    """The part of a collection that differs between databases; everything handed to it has been checked."""

    async def get(self, document_id: str) -> Document | None:
        """As ``Collection.get``."""

    async def insert(self, document: Document) -> None:
        """As ``Collection.insert``."""

    async def replace(self, document: Document, *, if_version: int) -> bool:
        """As ``Collection.replace``."""

    async def delete(self, document_id: str) -> bool:
        """As ``Collection.delete``."""

    async def fetch(self, where: Filter, order: Sort, limit: int) -> list[Document]:
        """Read the first ``limit`` documents that match, in exactly this order."""

    async def count(self, where: Filter) -> int:
        """As ``Collection.count``."""

    async def holding_pending(self, limit: int) -> list[Document]:
        """As ``Collection.holding_pending``."""

    async def discard_pending(self, document_id: str, message_ids: Sequence[str]) -> None:
        """As ``Collection.discard_pending``."""


class CheckedCollection:
    """The ``Collection`` over a store: checked arguments, one CLIENT span per operation, keyset pages."""

    def __init__(self, store: Store, *, name: str, system: Literal["sqlite", "mongodb"]) -> None:
        self.name = name
        self._store = store
        self._system = system

    async def get(self, document_id: str) -> Document | None:
        """See the port."""
        with self._span("get"):
            return await self._store.get(document_id)

    async def insert(self, document: Document) -> None:
        """See the port."""
        with self._span("insert"):
            check_document(document)
            await self._store.insert(document)

    async def replace(self, document: Document, *, if_version: int) -> bool:
        """See the port."""
        with self._span("replace"):
            check_document(document)
            if "version" not in document:
                raise ValueError("A document without a version cannot be replaced.")
            return await self._store.replace(document, if_version=if_version)

    async def delete(self, document_id: str) -> bool:
        """See the port."""
        with self._span("delete"):
            return await self._store.delete(document_id)

    async def find(
        self,
        where: Filter | None = None,
        *,
        sort: Sort = (),
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """See the port."""
        with self._span("find"):
            where = where or {}
            parse(where)
            _check_order(sort)
            _check_limit(limit)
            documents: list[Document] = []
            for part in _parts(where, sort, after):
                documents += await self._store.fetch(part, keyset(sort), limit + 1 - len(documents))
                if len(documents) > limit:
                    return Page(documents[:limit], cursor_of(documents[limit - 1], sort))
            return Page(documents, None)

    async def count(self, where: Filter | None = None) -> int:
        """See the port."""
        with self._span("count"):
            where = where or {}
            parse(where)
            return await self._store.count(where)

    async def holding_pending(self, *, limit: int) -> list[Document]:
        """See the port."""
        _check_limit(limit)
        return await self._store.holding_pending(limit)

    async def discard_pending(self, document_id: str, message_ids: Sequence[str]) -> None:
        """See the port."""
        with self._span("discard_pending"):
            if message_ids:
                await self._store.discard_pending(document_id, message_ids)

    @contextmanager
    def _span(self, operation: str) -> Iterator[None]:
        """Trace one operation; a failure is told by its type alone, since messages may quote values."""
        attributes = {
            "db.system.name": self._system,
            "db.collection.name": self.name,
            "db.operation.name": operation,
        }
        with _tracer.start_as_current_span(
            f"{self.name}.{operation}",
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(trace.StatusCode.ERROR)
                raise


def _parts(where: Filter, sort: Sort, after: str | None) -> list[Filter]:
    """Cut what is behind a cursor into ranges of the first path, so that an index is entered at the cursor."""
    if after is None:
        return [where]
    path, direction = keyset(sort)[0]
    value = values_of(after, sort)[0]
    bounds: list[Any]
    if value is None:
        bounds = [None] if direction == -1 else [None, {"$ne": None}]
    elif direction == 1:
        bounds = [{"$gte": value}]
    else:
        bounds = [{"$lte": value}] if path == "_id" else [{"$lte": value}, None]
    rest = behind(after, sort)
    return [{"$and": [where, {path: bound}, rest]} for bound in bounds]


def _check_order(sort: Sort) -> None:
    for path, direction in sort:
        check_path(path)
        if direction not in (1, -1):
            raise ValueError("A direction is 1 or -1.")
    if len({path for path, _ in sort}) != len(sort):
        raise ValueError("A sort names a path once.")


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ValueError("A limit is at least 1.")
