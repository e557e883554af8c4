"""Three gateways and one access process on real servers, every way between them a wire that can fail."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from contracts.identity import Role
from tests.chaos.papers import FACTORIES
from tests.chaos.truth import BUYERS
from tests.chaos.wires import Wire
from tests.servers.ports import free_ports
from tests.servers.process import end, end_at_once, spawn, tail
from tests.support.deployment import Deployment
from tests.support.eventually import eventually

GATEWAYS: Final = ("gateway-1", "gateway-2", "gateway-3")
STAR: Final = ("access", *GATEWAYS)
LEASE_S: Final = 1.0
TOKEN_S: Final = 24 * 3600
READY_S: Final = 180.0
"""A busy machine takes its time, the more so to read a long ledger from the start."""
SLOW_S: Final = LEASE_S / 5


class Country:
    """Starts, kills, stops and wakes processes by name; ``wires`` are the ways between them."""

    def __init__(self, servers: Deployment, careless: str = "") -> None:
        """``careless`` names a part of STAR that is broken on purpose, see ``tests.chaos.careless``."""
        self.folder = servers.folder
        self._servers = servers
        self._careless = careless
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = dict(zip((*STAR, "papers"), free_ports(len(STAR) + 1), strict=True))
        self.wires: dict[str, Wire] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Country"]:
        """String the wires, start every process, and end them all."""
        async with contextlib.AsyncExitStack() as stack:
            mongo, amqp = urlsplit(self._servers.mongo.url), urlsplit(self._servers.rabbitmq.url)
            ends = {"mongo": (mongo.hostname, mongo.port), "rabbitmq": (amqp.hostname, amqp.port)}
            ends |= dict.fromkeys(GATEWAYS, ("127.0.0.1", self.ports["access"]))
            for name, (host, port) in ends.items():
                wire = Wire(name, str(host), int(port or 0), delay_s=SLOW_S)
                self.wires[name] = await stack.enter_async_context(wire.strung())
            try:
                for name in ("papers", *STAR):
                    await asyncio.to_thread(self.start, name)
                await self.until_ready(*STAR)
                yield self
            finally:
                await asyncio.to_thread(self.end)

    def start(self, name: str) -> None:
        """Start one process; its output goes to ``<folder>/<name>.log``."""
        if name == "papers":
            command = ["tests.chaos.papers", str(self.ports[name])]
        else:
            module = "services.access" if name == "access" else "gateway"
            command = ["tests.chaos.careless", self._careless, module] if self._careless else [module]
        log = self.folder / f"{name}.log"
        self._processes[name] = spawn([sys.executable, "-m", *command], log, self._environment(name))

    def kill(self, name: str) -> None:
        """Kill one process without mercy, stopped or not."""
        end_at_once(self._processes[name])

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one process."""
        self._processes[name].send_signal(number)

    def exit_code(self, name: str) -> int | None:
        """The code with which a process ended, ``None`` while it is alive."""
        return self._processes[name].poll()

    def succeed(self) -> subprocess.Popen[bytes]:
        """Freeze access and start another process in its place, on another port; return the frozen one."""
        former = self._processes["access"]
        former.send_signal(signal.SIGSTOP)
        self.ports["access"] = free_ports(1)[0]
        self.start("access")
        for name in GATEWAYS:
            self.wires[name].lead_to("127.0.0.1", self.ports["access"])
        return former

    def end(self) -> None:
        """End every process."""
        for process in self._processes.values():
            end_at_once(process) if process.poll() is None else end(process)

    def log_tail(self, name: str) -> str:
        """The end of a process's log."""
        return tail(self.folder / f"{name}.log")

    def url(self, gateway: str) -> str:
        """The address of one gateway."""
        return f"http://127.0.0.1:{self.ports[gateway]}"

    def token(self, user: str, role: Role, party: str | None) -> str:
        """An access token that outlives the run."""
        claims = {"sub": user, "name": user, "star_roles": [role.value], "star_party": party}
        return self._servers.issuer.token("admin", **claims, exp=int(time.time()) + TOKEN_S)

    async def until_ready(self, *names: str) -> None:
        """Wait until these processes say that they are ready."""
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for name in names:

                async def is_ready(
                    url: str = f"http://127.0.0.1:{self.ports[name]}/health/ready", of: str = name
                ) -> bool:
                    if self.exit_code(of) is not None:
                        raise RuntimeError(f"{of} ended by itself: {self.log_tail(of)}")
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(url) as response:
                            return response.status == 200
                    return False

                try:
                    await eventually(is_ready, READY_S, saying=f"{name} ready")
                except AssertionError as error:
                    raise AssertionError(f"{error} ({self.log_tail(name)})") from error

    def _environment(self, name: str) -> dict[str, str]:
        is_access = name == "access"
        values = self._servers.environment("access" if is_access else "gateway")
        changes = {"PORT": str(self.ports[name]), "LEASE_S": str(LEASE_S), "OTLP_URL": "", "LOG_LEVEL": "WARNING"}
        if is_access:
            changes["MONGO_URL"] = self._wired("mongo", values["STAR_MONGO_URL"])
            changes["AMQP_URL"] = self._wired("rabbitmq", values["STAR_AMQP_URL"])
        elif name in GATEWAYS:
            changes["GATEWAY_ID"] = name
            changes["ACCESS_URL"] = f"http://127.0.0.1:{self.wires[name].port}"
            papers = f"http://127.0.0.1:{self.ports['papers']}"
            changes |= dict.fromkeys(("ASSESSMENT_URL", "REMEDIATION_URL", "TRAINING_URL", "REPORTING_URL"), papers)
        return {**values, **{f"STAR_{key}": value for key, value in changes.items()}}

    def _wired(self, wire: str, url: str) -> str:
        """The address of a server by way of a wire."""
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}{at}127.0.0.1:{self.wires[wire].port}").geturl()


@contextlib.contextmanager
def servers_in(folder: Path) -> Iterator[Deployment]:
    """RabbitMQ, the MongoDB-wire server and MinIO, without any process of STAR."""
    servers = Deployment(folder)
    try:
        servers.start_servers()
        yield servers
    finally:
        servers.stop()


async def make_ready(country: Country) -> None:
    """Register every factory and every buyer, and make each buyer one that may be given a grant and read by it."""
    headers = {"authorization": f"Bearer {country.token('admin', Role.ADMINISTRATOR, None)}"}
    url = f"{country.url(GATEWAYS[0])}/api/v1"
    async with aiohttp.ClientSession(headers=headers) as session:
        for factory in FACTORIES:
            body = {"id": factory, "name": f"Factory {factory}", "industry": "C14", "time_zone": "Asia/Amman"}
            async with session.post(f"{url}/factories", json=body) as answer:
                assert answer.status == 201, await answer.text()
        for buyer in BUYERS:
            async with session.post(f"{url}/buyers", json={"id": buyer, "name": f"Buyer {buyer}"}) as answer:
                assert answer.status == 201, await answer.text()
            partnership = {"id": f"partner-{buyer}", "buyer_id": buyer}
            async with session.post(f"{url}/entitlements", json=partnership) as answer:
                assert answer.status == 201, await answer.text()
