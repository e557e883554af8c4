"""Runs one real service over embedded adapters in a folder, with callers signed as the gateway signs them."""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
from uuid_utils.compat import uuid7

from contracts.events import Event
from contracts.identity import Principal, Role, Shared
from contracts.vocabulary import ReportKind
from services.runtime.bus import Delivery, Handle, Message, RetryPolicy, Verdict
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents import Collection as DocumentCollection
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.files.directory import DirectoryFiles
from services.runtime.identity import Signer, new_signing_key, verify_key_of
from services.runtime.service import Make, Ports, Service
from services.runtime.settings import Settings
from tests.support.eventually import eventually

E = TypeVar("E", bound=Event)
COUNTRY = "JO"
SIGNING_KEY = new_signing_key()
LEDGER_KEY = new_signing_key()
LONG_AGO = datetime(2026, 1, 5, 8, tzinfo=UTC)
FAST = RetryPolicy(attempts=4, delay_ms=20)


def a_principal(
    *roles: Role,
    party_id: str | None = None,
    subject: str = "someone",
    shares: Mapping[ReportKind, frozenset[str]] | None = None,
) -> Principal:
    """A caller with these roles."""
    return Principal(
        subject=subject,
        name=subject.title(),
        roles=frozenset(roles),
        country=COUNTRY,
        party_id=party_id,
        shares={kind: Shared(factories) for kind, factories in (shares or {}).items()},
    )


def signed(principal: Principal) -> dict[str, str]:
    """The header that makes a service believe it is this caller."""
    return {"authorization": f"Bearer {Signer(SIGNING_KEY).sign(principal)}"}


def settings_for(folder: Path) -> Settings:
    """Settings of a service under test."""
    return Settings(
        country=COUNTRY,
        time_zone="Asia/Amman",
        data_folder=folder,
        signing_key=SIGNING_KEY,  # type: ignore[arg-type]
        verify_key=verify_key_of(SIGNING_KEY),
        ledger_key=LEDGER_KEY,  # type: ignore[arg-type]
        outbox_scan_s=0.5,
        rate_per_s=0,
    )


def a_message(event: Event, *, subject: str, sequence: int = 1, source: str = "", at: datetime = LONG_AGO) -> Message:
    """The event as another service would have published it."""
    return Message(
        id=str(uuid7()),
        type=event.type,
        source=source or f"{COUNTRY}/{event.type.split('.')[0]}",
        subject=subject,
        sequence=sequence,
        time=at.isoformat(),
        traceparent="",
        body=msgspec.Raw(msgspec.json.encode(event)),
    )


class Heard(InProcessBus):
    """The in-process bus, noting everything that is published."""

    def __init__(self, messages: DocumentCollection) -> None:
        super().__init__(messages, FAST)
        self.messages: list[Message] = []
        self.handles: dict[str, Handle] = {}

    def subscribe(self, listener: str, types: Collection[str], handle: Handle) -> None:
        self.handles[listener] = handle
        super().subscribe(listener, types, handle)

    async def publish(self, messages: Sequence[Message]) -> set[str]:
        self.messages += messages
        return await super().publish(messages)


@dataclass
class Running:
    """A running service: call it over HTTP, hand it events, see what it announced."""

    service: Service
    bus: Heard
    http: httpx.AsyncClient

    async def get(self, path: str, caller: Principal, **options: object) -> httpx.Response:
        return await self.http.get(path, headers=signed(caller), **options)  # type: ignore[arg-type]

    async def post(self, path: str, caller: Principal, body: object = None, **options: object) -> httpx.Response:
        return await self.http.post(path, headers=signed(caller), json=body, **options)  # type: ignore[arg-type]

    async def deliver(self, event: Event, *, subject: str, sequence: int = 1, source: str = "") -> Verdict:
        """Hand an event to the service's dispatch core as the bus would; tell its verdict."""
        handle = self.bus.handles[self.service.name]
        return await handle(Delivery(a_message(event, subject=subject, sequence=sequence, source=source), 1))

    def announced(self, event: type[E]) -> list[E]:
        """The published events of a class, oldest first."""
        found = (m for m in self.bus.messages if m.type == event.type)
        return [msgspec.json.decode(message.body, type=event) for message in found]

    async def until_announced(self, event: type[E], count: int = 1) -> list[E]:
        """Wait until that many events of a class were published."""
        await eventually(lambda: len(self.announced(event)) >= count, saying=f"{count} x {event.type} published")
        return self.announced(event)


@contextlib.asynccontextmanager
async def running_service(make_service: Make, folder: Path) -> AsyncIterator[Running]:
    """Open a service on SQLite, a directory and the in-process bus; the same folder again continues where it was."""
    settings = settings_for(folder)
    queue = SqliteDocuments(folder / "bus.sqlite")
    bus = Heard(queue.collection("messages", INDEXES))
    await queue.start()
    ports = Ports(SqliteDocuments(folder / "service.sqlite"), DirectoryFiles(folder / "files", "service"), bus)
    service = make_service(settings, ports)
    transport = httpx.ASGITransport(service.app)  # type: ignore[arg-type]
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(queue.stop)
        await service.open()
        stack.push_async_callback(service.close)
        await bus.start()
        stack.push_async_callback(bus.stop)
        await service.start()
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://star"))
        yield Running(service, bus, http)
