"""A service as a whole: its ports, its HTTP application, its order of starting and stopping, and its process."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from urllib.parse import urlsplit

import msgspec
import uvicorn

from contracts.catalogue import listeners
from services.runtime.bus import Bus, RetryPolicy
from services.runtime.connections import CarefulHttp
from services.runtime.documents import Documents
from services.runtime.files import Files
from services.runtime.memory import settle
from services.runtime.periodic import Background
from services.runtime.relay import Relay
from services.runtime.settings import InvalidSettings, Settings
from services.runtime.telemetry import flush_traces, set_up_logs, set_up_traces
from services.runtime.tracing import TracedApp

logger = logging.getLogger(__name__)


class Ports(msgspec.Struct, frozen=True):
    """Where a service keeps its documents and files, and the bus it shares with the others."""

    documents: Documents
    files: Files
    bus: Bus


class Service(msgspec.Struct, frozen=True):
    """A wired service: nothing is connected before ``open``."""

    name: str
    app: TracedApp
    ports: Ports
    relay: Relay
    background: tuple[Background, ...] = ()

    async def open(self) -> None:
        """Connect the stores; the service can answer requests from here on."""
        await self.ports.documents.start()
        await self.ports.files.start()

    async def start(self) -> None:
        """Begin what runs beside the requests: announcing, and what the service does by itself."""
        await self.relay.start()
        for each in self.background:
            await each.start()

    async def close(self) -> None:
        """Stop what runs beside the requests, then let go of the stores; call after the bus has stopped delivering.

        Each is stopped whatever the others raise.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.ports.documents.stop)
            stack.push_async_callback(self.ports.files.stop)
            stack.push_async_callback(self.relay.stop)
            for each in reversed(self.background):
                stack.push_async_callback(each.stop)


Make = Callable[[Settings, Ports], Service]


def deployed_ports(name: str, settings: Settings) -> Ports:
    """The ports of one deployed process: MongoDB, S3 and RabbitMQ; raises ``InvalidSettings``.

    The adapters are imported late: an embedded run needs none of them.
    """
    from services.runtime.bus.rabbit import RabbitBus  # noqa: PLC0415
    from services.runtime.documents.mongo import MongoDocuments  # noqa: PLC0415
    from services.runtime.files.s3 import S3Files  # noqa: PLC0415

    settings.demand("mongo_url", "amqp_url", "s3_url", "s3_access_key", "s3_secret_key", "verify_key")
    s3 = urlsplit(settings.s3_url)
    return Ports(
        documents=MongoDocuments(settings.mongo_url, f"star_{name}"),
        files=S3Files(
            s3.netloc,
            settings.s3_access_key,
            settings.s3_secret_key,
            bucket=settings.s3_bucket,
            prefix=name,
            secure=s3.scheme == "https",
        ),
        bus=RabbitBus(settings.amqp_url, service=name, policy=retry_policy(settings), others=listeners()),
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """How failed messages are tried again here."""
    return RetryPolicy(attempts=settings.retry_attempts, delay_ms=settings.retry_delay_ms)


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    """A service on its own bus connection: stores, then bus, then relay; and back."""
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(service.close)
        stack.push_async_callback(service.ports.bus.stop)
        await service.open()
        await service.ports.bus.start()
        await service.start()
        yield service


class _Server(uvicorn.Server):
    """A server that tells when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then tell."""
        await super().startup(sockets)
        if self.started:
            settle()
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as the wish to stop."""
        with super().capture_signals():
            yield
            # Raised again, as uvicorn does at the end, they would kill the process before its parts are stopped.
            self._captured_signals.clear()


async def serve(
    app: object,
    settings: Settings,
    on_ready: Callable[[], None] = lambda: None,
    *,
    sockets: Sequence[socket.socket] = (),
    http: type[CarefulHttp] = CarefulHttp,
) -> None:
    """Answer HTTP until SIGTERM or SIGINT, then let running requests finish within the grace.

    With ``sockets``, which listen already, the host and port of the settings are not used.
    """
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=settings.host,
        port=settings.port,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.grace_s)),
        http=http,
    )
    await _Server(config, on_ready).serve(list(sockets) or None)


def run(name: str, make: Make) -> None:
    """Be the process of one deployed service: ``python -m services.<name>``."""

    async def main(settings: Settings) -> None:
        async with running(make(settings, deployed_ports(name, settings))) as service:
            await serve(service.app, settings)

    try:
        settings = Settings.from_environment().deployed()
        set_up_logs(name, settings.log_level)
        set_up_traces(name, settings)
        with asyncio.Runner(loop_factory=_event_loop) as runner:
            runner.run(main(settings))
    except InvalidSettings as error:
        raise SystemExit(str(error)) from error
    except Exception as error:
        logger.critical("cannot go on", exc_info=error)
        raise SystemExit(1) from error
    finally:
        flush_traces()


def _event_loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - not needed to import a service

    return uvloop.new_event_loop()
