"""What a factory sees of the reads of its documents."""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from contracts.errors import Malformed
from contracts.identity import Scope
from contracts.ledger import fingerprint
from services.access.domain.consent.entry import followed
from services.access.domain.read_export import line_of
from services.access.domain.reading import Head
from services.access.store.ledger import Ledger
from services.access.store.parties import Factories
from services.access.store.reads import Asked, NumberedRead, ReadPages


class ReadList(msgspec.Struct, frozen=True):
    """One page of reads and the cursor of the next."""

    items: list[NumberedRead]
    next_cursor: str | None


async def list_reads(pages: ReadPages, scope: Scope, asked: Asked, *, limit: int, after: str | None) -> ReadList:
    """List the reads in scope, newest first; raises ``Malformed`` and ``InvalidCursor``."""
    for moment in (asked.since, asked.until):
        if moment is not None and moment.tzinfo is None:
            raise Malformed("A moment needs its time zone, such as Z.")
    page = await pages.find(scope, asked, limit=limit, after=after)
    return ReadList(page.items, page.next_cursor)


async def read_head(pages: ReadPages, factories: Factories, factory_id: str, scope: Scope, *, now: datetime) -> Head:
    """Tell how far the log of a factory goes, signed; raises ``NotFound``."""
    factory = await factories.get(factory_id, scope)
    return await pages.head(factory.id, scope, at=now)


async def export_log(pages: ReadPages, ledger: Ledger, scope: Scope, head: Head) -> AsyncIterator[bytes]:
    """The log of a factory up to its head, a line each: the keys up to that of the head, the pages, the head."""
    for entry in (await ledger.current()).announcements():
        announced = followed(entry)
        yield line_of(announced)
        if fingerprint(announced.public_key) == head.key_id:
            break
    async for page in pages.pages(head.factory_id, scope, last=head.pages):
        yield line_of(page)
    yield line_of(head)
