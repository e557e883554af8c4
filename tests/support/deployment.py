"""A whole country for tests: six real processes on real RabbitMQ, MongoDB-wire and MinIO servers, on loopback."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp

from deploy.client import Client
from deploy.demo.people import COUNTRY, TIME_ZONE
from services.runtime.identity import new_signing_key, verify_key_of
from services.runtime.settings import Settings
from tests.servers import Minio, Mongo, RabbitMQ, minio, mongo, rabbitmq
from tests.servers.ports import free_ports
from tests.servers.process import end, spawn
from tests.support.collector import Collector
from tests.support.eventually import eventually
from tests.support.issuer import Issuer

SERVICES = ("access", "assessment", "remediation", "training", "reporting")
PROCESSES = (*SERVICES, "gateway")


class Deployment:
    """Starts, kills and restarts the processes of one country by name; the servers are at ``servers``."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """``settings`` are further ``STAR_*`` variables, lower case without the prefix."""
        self.folder = folder
        self.issuer = Issuer()
        self.collector = Collector()
        self.rabbitmq: RabbitMQ = rabbitmq(folder / "rabbitmq")
        self.mongo: Mongo = mongo(folder / "mongo")
        self.minio: Minio = minio(folder / "minio")
        self.ports = dict(zip(PROCESSES, free_ports(len(PROCESSES)), strict=True))
        self.url = f"http://127.0.0.1:{self.ports['gateway']}"
        self._key = new_signing_key()
        self._ledger_key = new_signing_key()
        self._settings = settings
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def servers(self) -> tuple[RabbitMQ, Mongo, Minio]:
        """The three real servers, for outages."""
        return self.rabbitmq, self.mongo, self.minio

    def start_servers(self) -> None:
        """Start RabbitMQ, the MongoDB-wire server and MinIO."""
        for server in self.servers:
            server.folder.mkdir(parents=True, exist_ok=True)
            server.start()

    def start(self, name: str) -> None:
        """Start one process; its output goes to ``<folder>/<name>.log``."""
        module = "gateway" if name == "gateway" else f"services.{name}"
        log = self.folder / f"{name}.log"
        self._processes[name] = spawn([sys.executable, "-m", module], log, self.environment(name))

    def start_all(self) -> None:
        """Start the six processes."""
        for name in PROCESSES:
            self.start(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process, if it runs."""
        process = self._processes.get(name)
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def kill(self, name: str) -> None:
        """Kill one process without mercy and wait until it is gone."""
        self.signal(name, signal.SIGKILL)
        self._processes[name].wait(10)

    def pid(self, name: str) -> int:
        """The process id of one process, alive or not."""
        return self._processes[name].pid

    def exit_code(self, name: str) -> int | None:
        """The code with which a process ended (negative: the signal), ``None`` while it is alive."""
        return self._processes[name].poll()

    def terminate(self, name: str, *, within_s: float) -> int:
        """Ask one process to end; tell its exit code. Raises ``subprocess.TimeoutExpired``."""
        self.signal(name, signal.SIGTERM)
        return self._processes[name].wait(within_s)

    def memory_kib(self, name: str) -> int:
        """The resident memory of one process."""
        status = Path(f"/proc/{self.pid(name)}/status").read_text("ascii", errors="replace")
        return int(status.partition("VmRSS:")[2].split()[0])

    def settings(self, name: str) -> Settings:
        """The settings with which a process runs."""
        return Settings.from_environment(self.environment(name))

    def running(self, name: str) -> bool:
        """Whether a process is alive."""
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def stop(self) -> None:
        """Stop everything: processes first, then servers, each by process id."""
        for name in self._processes:
            self.signal(name, signal.SIGTERM)
        for process in self._processes.values():
            end(process)
        for server in self.servers:
            server.stop()
        self.issuer.close()
        self.collector.close()

    async def until_ready(self, *names: str, within_s: float = 60) -> None:
        """Wait until the processes (all by default) answer that they are ready."""
        async with aiohttp.ClientSession() as session:
            for name in names or PROCESSES:
                address = f"http://127.0.0.1:{self.ports[name]}/health/ready"

                async def answered(url: str = address) -> bool:
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(url, timeout=aiohttp.ClientTimeout(total=5)) as response:
                            return response.status == 200
                    return False

                try:
                    await eventually(answered, within_s=within_s, saying=f"{name} ready")
                except AssertionError as error:
                    state = f"exit code {self.exit_code(name)}, log: {self.log_tail(name)}"
                    raise AssertionError(f"{error} ({state})") from error

    def log_tail(self, name: str) -> str:
        """The end of a process's log."""
        path = self.folder / f"{name}.log"
        return path.read_text("utf-8", errors="replace")[-2000:] if path.exists() else ""

    @contextlib.asynccontextmanager
    async def client(self, user: str) -> AsyncIterator[Client]:
        """The API as one of the demo people."""
        async with aiohttp.ClientSession() as session:
            yield Client(session, self.url, user, self.issuer.sign_in)

    def environment(self, name: str) -> dict[str, str]:
        """The variables of one process, for it or for a command line beside it."""
        values = {
            "environment": "deployed",
            "country": COUNTRY,
            "time_zone": TIME_ZONE,
            "port": str(self.ports[name]),
            "mongo_url": self.mongo.url,
            "amqp_url": self.rabbitmq.url,
            "s3_url": self.minio.endpoint.url,
            "s3_access_key": self.minio.endpoint.access_key,
            "s3_secret_key": self.minio.endpoint.secret_key,
            "oidc_issuer": self.issuer.url,
            "verify_key": verify_key_of(self._key),
            "otlp_url": self.collector.url,
            "retry_delay_ms": "300",
            "outbox_scan_s": "1",
            "lease_s": "3",
            "rate_per_s": "0",
            **{f"{service}_url": f"http://127.0.0.1:{self.ports[service]}" for service in SERVICES},
            **self._settings,
        }
        if name == "gateway":
            values["signing_key"] = self._key
        if name == "access":
            values["ledger_key"] = self._ledger_key
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("STAR_")}
        return {**inherited, **{f"STAR_{key.upper()}": value for key, value in values.items()}}


@contextlib.contextmanager
def deployed(folder: Path, **settings: str) -> Iterator[Deployment]:
    """A country on real servers that is ready to be called; everything is stopped at the end."""
    deployment = Deployment(folder, **settings)
    try:
        deployment.start_servers()
        deployment.start_all()
        asyncio.run(deployment.until_ready())
        yield deployment
    finally:
        deployment.stop()
