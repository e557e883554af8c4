"""Parked messages and outboxes, from the command line: of an embedded data folder or of a deployed country."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from contracts.catalogue import SERVICES, listeners
from deploy.embedded import MAKERS, ports_of, queue_of, with_keys
from deploy.terminal import say
from services.runtime.bus import Bus, Parked
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.service import Ports, deployed_ports, retry_policy
from services.runtime.settings import Environment, Settings

MOST = 1_000
park = cyclopts.App(name="park", help="Parked messages: those that a listener could not handle, with the reason.")

DataFolder = Annotated[Path, Parameter(help="Data folder of an embedded run", env_var="STAR_DATA_FOLDER")]
DATA = Path("data")


class NoData(Exception):
    """There is no embedded country in this folder."""


def settings_of(data: Path) -> Settings:
    """The settings of a deployed country, or of an embedded one in this folder; raises ``NoData``."""
    settings = Settings.from_environment(data_folder=data)
    if settings.environment is Environment.EMBEDDED and not (data / "bus.sqlite").exists():
        raise NoData(f"There is no STAR in the folder {data}.")
    return settings


@contextlib.asynccontextmanager
async def bus_of(settings: Settings) -> AsyncIterator[Bus]:
    """The bus of this country, connected but serving no listener."""
    if settings.environment is Environment.DEPLOYED:
        bus: Bus = deployed_ports("star", settings).bus
        await bus.start()
        try:
            yield bus
        finally:
            await bus.stop()
    else:
        queue = queue_of(settings.data_folder)
        bus = InProcessBus(queue.collection("messages", INDEXES), retry_policy(settings))
        await queue.start()
        try:
            yield bus
        finally:
            await queue.stop()


@park.command(name="list")
def list_parked(listener: str = "", *, data: DataFolder = DATA) -> None:
    """List what is parked, for one listener or for all."""

    async def main() -> None:
        async with bus_of(settings_of(data)) as bus:
            found = [await bus.parked(name, limit=MOST) for name in ([listener] if listener else listeners())]
        for parked in (each for some in found for each in some):
            _tell(parked)

    asyncio.run(main())


@park.command
def show(listener: str, message_id: str, *, data: DataFolder = DATA) -> None:
    """Show one parked message whole, as JSON."""

    async def main() -> None:
        async with bus_of(settings_of(data)) as bus:
            found = [p for p in await bus.parked(listener, limit=MOST) if p.message.id == message_id]
        if not found:
            raise SystemExit(f"Nothing with the id {message_id} is parked for {listener}.")
        print(msgspec.json.format(msgspec.json.encode(found[0]), indent=2).decode())

    asyncio.run(main())


@park.command
def replay(listener: str, message_id: str | None = None, *, data: DataFolder = DATA) -> None:
    """Queue one parked message again, or all of a listener's."""

    async def main() -> None:
        async with bus_of(settings_of(data)) as bus:
            count = await bus.replay(listener, message_id=message_id)
        say(f"{count} queued again for {listener}")
        if not count:
            raise SystemExit(1)

    asyncio.run(main())


async def outboxes(settings: Settings) -> list[tuple[str, int, str]]:
    """Per service: its name, how many messages its outboxes hold (at most 1,000 counted), and the oldest time."""
    return [await _outbox(name, settings) for name in SERVICES]


async def _outbox(name: str, settings: Settings) -> tuple[str, int, str]:
    ports = _ports(name, settings)
    service = MAKERS[name](with_keys(settings) if not settings.verify_key else settings, ports)
    await ports.documents.start()
    try:
        found = [d for c in service.relay.watched for d in await c.holding_pending(limit=MOST)]
    finally:
        await ports.documents.stop()
    times = sorted(raw["time"] for document in found for raw in document["pending"])
    return name, len(times), times[0] if times else ""


def _ports(name: str, settings: Settings) -> Ports:
    if settings.environment is Environment.DEPLOYED:
        return deployed_ports(name, settings)
    queue = queue_of(settings.data_folder)
    return ports_of(name, settings, InProcessBus(queue.collection("messages", INDEXES), retry_policy(settings)))


def _tell(parked: Parked) -> None:
    message = parked.message
    say(f"{parked.parked_at}  {parked.listener}  {message.type}  {message.id}  after {parked.attempts}")
    say(f"    {parked.reason}")
