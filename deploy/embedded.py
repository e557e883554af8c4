"""The embedded deployment: every process of a country in one, on SQLite, a directory and the in-process bus."""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from opentelemetry.sdk.trace import SpanProcessor

from contracts.catalogue import SERVICES
from deploy.demo.people import Person
from gateway.app import Gateway, make_gateway
from gateway.dev_issuer import DevUser
from gateway.inprocess import InProcessUpstream
from gateway.openapi import merge
from services.access.app import make_service as make_access
from services.assessment.app import make_service as make_assessment
from services.remediation.app import make_service as make_remediation
from services.reporting.app import make_service as make_reporting
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.files.directory import DirectoryFiles
from services.runtime.identity import new_signing_key, verify_key_of
from services.runtime.service import Make, Ports, Service, retry_policy
from services.runtime.settings import Secret, Settings
from services.runtime.telemetry import set_up_traces
from services.training.app import make_service as make_training

MAKERS: Mapping[str, Make] = {
    "access": make_access,
    "assessment": make_assessment,
    "remediation": make_remediation,
    "training": make_training,
    "reporting": make_reporting,
}


class FolderInUse(Exception):
    """Another process runs a country in this data folder."""


class Embedded(msgspec.Struct, frozen=True):
    """A running country in one process; ``gateway.app`` answers HTTP."""

    settings: Settings
    services: dict[str, Service]
    gateway: Gateway


def queue_of(folder: Path) -> SqliteDocuments:
    """The database of the in-process bus, which the command line opens as well."""
    return SqliteDocuments(folder / "bus.sqlite")


def ports_of(name: str, settings: Settings, bus: InProcessBus) -> Ports:
    """A service's own database file and folder of files, and the bus that all share."""
    folder = settings.data_folder
    return Ports(SqliteDocuments(folder / f"{name}.sqlite"), DirectoryFiles(folder / "files", name), bus)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the data folder for this process, until it ends in whatever way; raises ``FolderInUse``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise FolderInUse(f"The data folder {folder} is used by a running STAR (process {file.read()}).") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def with_keys(settings: Settings) -> Settings:
    """The settings with the keys that this data folder keeps for itself; a key of the ledger may be given instead."""
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    key = _kept_key(settings.data_folder / "signing.key")
    ledger_key = settings.ledger_key or Secret(_kept_key(settings.data_folder / "ledger.key"))
    return msgspec.structs.replace(
        settings, signing_key=Secret(key), verify_key=verify_key_of(key), ledger_key=ledger_key
    )


def _kept_key(path: Path) -> str:
    """The key under the path; a new one, readable by its owner only, when there is none."""
    if not path.exists():
        # Whole or not at all: a key cut short by a crash would keep this folder from starting ever again.
        unfinished = path.with_name(f".{path.stem}.{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(new_signing_key())
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(unfinished)
        unfinished.unlink()
    return path.read_text().strip()


@contextlib.asynccontextmanager
async def embedded(
    settings: Settings, people: Sequence[Person], *, spans: SpanProcessor | None = None
) -> AsyncIterator[Embedded]:
    """Run a country in this process; the same data folder again continues where it was.

    ``spans`` receives the spans as well as the collector of the settings, if any. Raises ``FolderInUse``.
    """
    with alone_in(settings.data_folder):
        async with _running(with_keys(settings), people, spans) as country:
            yield country


@contextlib.asynccontextmanager
async def _running(
    settings: Settings, people: Sequence[Person], spans: SpanProcessor | None
) -> AsyncIterator[Embedded]:
    set_up_traces("embedded", settings, spans)
    queue = queue_of(settings.data_folder)
    bus = InProcessBus(queue.collection("messages", INDEXES), retry_policy(settings))
    services = {name: make(settings, ports_of(name, settings, bus)) for name, make in MAKERS.items()}
    upstreams = {name: InProcessUpstream(service.app) for name, service in services.items()}
    users = [DevUser(p.user, p.name, frozenset(p.roles), p.party_id) for p in people]
    gateway = make_gateway(settings, upstreams, dev_users=users)
    async with contextlib.AsyncExitStack() as stack:
        await queue.start()
        stack.push_async_callback(queue.stop)
        for service in services.values():
            stack.push_async_callback(service.close)
            await service.open()
        stack.push_async_callback(bus.stop)
        await bus.start()
        for service in services.values():
            await service.start()
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        yield Embedded(settings, services, gateway)


def public_openapi() -> dict[str, Any]:
    """The public API of all services as one OpenAPI document; nothing is started."""
    with TemporaryDirectory(prefix="star-openapi-") as folder:
        settings = with_keys(Settings(data_folder=Path(folder)))
        bus = InProcessBus(queue_of(settings.data_folder).collection("messages", INDEXES), retry_policy(settings))
        made = {name: MAKERS[name](settings, ports_of(name, settings, bus)) for name in SERVICES}
        return merge({name: service.app.litestar.openapi_schema.to_schema() for name, service in made.items()})
