"""The documents port on MongoDB through Motor: the only module that knows either."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import bson
import pymongo
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError

from services.runtime.documents import Collection, Document, DuplicateKey, Filter, Index, Sort
from services.runtime.documents.collection import CheckedCollection
from services.runtime.documents.content import check_size
from services.runtime.documents.filters import check_name, check_path
from services.runtime.unavailable import StoreUnavailable

T = TypeVar("T")
PENDING = "pending.id"
BRIEFLY_S: Final = 1.0
"""How long a call waits for a server that left the call before it without an answer."""


class MongoDocuments:
    """Documents in one database of the deployment at ``url`` (``mongodb://`` with its credentials).

    An acknowledged write is in the journal of a majority. Every call ends within ``timeout_s``, by ``StoreUnavailable``
    when the network or the server does not answer; whether such a write happened is then unknown. Who calls while the
    server is known to be silent hears so within ``BRIEFLY_S``: callers who wait for each other would otherwise spend
    the whole time one after the other. The driver repeats a write whose connection broke only where the server has
    sessions, which make that safe.
    """

    def __init__(self, url: str, database: str, *, timeout_s: float = 10) -> None:
        self._url = url
        self._name = database
        self._timeout_s = timeout_s
        self._declared: dict[str, list[Index]] = {}
        self._client: Any = None
        self._under_way: set[asyncio.Future[Any]] = set()
        self._is_silent = False

    async def start(self) -> None:
        """Connect and create the missing indexes; safe to repeat."""
        if self._client is None:
            self._client = _connect(self._url, self._timeout_s)
        await self.ping()
        for name, indexes in self._declared.items():
            here = self.documents(name)
            await self.answer(here.create_index, [(PENDING, 1)], sparse=True)
            for index in indexes:
                options = {key: True for key in ("unique", "sparse") if getattr(index, key)}
                await self.answer(here.create_index, [(path, 1) for path in index.paths], **options)

    async def stop(self) -> None:
        """Await what was accepted, which ends within the timeout, and disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.gather(*self._under_way, return_exceptions=True)
            client.close()

    async def ping(self) -> None:
        """Return when the server answered; raises ``StoreUnavailable`` when it does not."""
        await self.answer(self._database().command, "ping")

    def collection(self, name: str, indexes: Sequence[Index] = ()) -> Collection:
        """Declare a collection; raises ``ValueError`` for a name or path outside the port's alphabet."""
        declared = self._declared.setdefault(check_name(name), [])
        for index in indexes:
            for path in index.paths:
                check_path(path)
            if index not in declared:
                declared.append(index)
        return CheckedCollection(_MongoStore(self, name), name=name, system="mongodb")

    def documents(self, name: str) -> Any:
        """The driver's collection; raises ``RuntimeError`` before ``start`` and after ``stop``."""
        return self._database()[name]

    async def answer(self, operation: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
        """Call one operation of the driver and await it within the timeout, in the port's exceptions."""
        patience_s = min(BRIEFLY_S, self._timeout_s) if self._is_silent else self._timeout_s
        with pymongo.timeout(patience_s):
            future = asyncio.ensure_future(operation(*args, **options))
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        try:
            # The driver's own limit does not count the time an operation waits for one of its threads.
            async with asyncio.timeout(patience_s):
                found = await future
        except DuplicateKeyError:
            self._is_silent = False
            # MongoDB's message quotes the value, which must not reach a log.
            raise DuplicateKey("The id, or a value that must be unique, is taken already.") from None
        except (PyMongoError, TimeoutError) as error:
            if isinstance(error, PyMongoError) and not (error.timeout or isinstance(error, ConnectionFailure)):
                raise
            # A connection that broke may be there again at once; a silence, or a server that is not found, lasts.
            self._is_silent = isinstance(error, TimeoutError) or error.timeout
            # The driver's message tells the topology, which is for the log and not for a caller.
            raise StoreUnavailable("The documents cannot be reached just now.") from error
        self._is_silent = False
        return found

    def _database(self) -> Any:
        if self._client is None:
            raise RuntimeError("The documents are not started.")
        return self._client.get_database(self._name, codec_options=_CODEC)


class _MongoStore:
    def __init__(self, database: MongoDocuments, name: str) -> None:
        self._database = database
        self._name = name

    async def get(self, document_id: str) -> Document | None:
        found: Document | None = await self._answer(self._documents.find_one, {"_id": document_id})
        return found

    async def insert(self, document: Document) -> None:
        await self._answer(self._documents.insert_one, _encoded(document))

    async def replace(self, document: Document, *, if_version: int) -> bool:
        read = {"_id": document["_id"], "version": if_version}
        answer = await self._answer(self._documents.replace_one, read, _encoded(document))
        return bool(answer.matched_count)

    async def delete(self, document_id: str) -> bool:
        return bool((await self._answer(self._documents.delete_one, {"_id": document_id})).deleted_count)

    async def fetch(self, where: Filter, order: Sort, limit: int) -> list[Document]:
        return await self._read(where, limit, sort=list(order))

    async def count(self, where: Filter) -> int:
        return int(await self._answer(self._documents.count_documents, where))

    async def holding_pending(self, limit: int) -> list[Document]:
        return await self._read({PENDING: {"$gt": ""}}, limit)

    async def discard_pending(self, document_id: str, message_ids: Sequence[str]) -> None:
        change = {"$pull": {"pending": {"id": {"$in": list(message_ids)}}}}
        await self._answer(self._documents.update_one, {"_id": document_id}, change)

    @property
    def _documents(self) -> Any:
        return self._database.documents(self._name)

    async def _read(self, where: Filter, limit: int, **options: Any) -> list[Document]:
        cursor = self._documents.find(where, limit=limit, batch_size=limit, **options)
        found: list[Document] = await self._answer(cursor.to_list, limit)
        return found

    async def _answer(self, operation: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return await self._database.answer(operation, *args)


class _PlainInteger(TypeDecoder):
    """Give 64-bit integers back as ``int``: BSON's subclass of it is foreign to other encoders."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(type_registry=TypeRegistry([_PlainInteger()]))


def _encoded(document: Document) -> RawBSONDocument:
    content = bson.encode(document)
    check_size(len(content))
    return RawBSONDocument(content)


def _connect(url: str, timeout_s: float) -> Any:
    timeout_ms = int(timeout_s * 1000)
    return AsyncIOMotorClient(
        url,
        w="majority",
        journal=True,
        retryWrites=True,
        timeoutMS=timeout_ms,
        serverSelectionTimeoutMS=timeout_ms,
        connectTimeoutMS=timeout_ms,
        socketTimeoutMS=timeout_ms,
    )
