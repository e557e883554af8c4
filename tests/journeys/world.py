"""The two worlds of the journeys behind one face: an embedded country in one process, and six deployed processes."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from deploy.client import SignIn, development_sign_in
from deploy.demo.people import COUNTRY, TIME_ZONE, Person
from tests.journeys.people import BRANDS, MAKERS, OWNERS, PERSON_BY_USER
from tests.servers.ports import free_ports
from tests.servers.process import end, spawn
from tests.support.collector import Collector
from tests.support.deployment import PROCESSES, Deployment, deployed
from tests.support.eventually import eventually
from tests.support.star import memory_mib

SETTINGS = {"retry_delay_ms": "250", "retry_attempts": "8", "outbox_scan_s": "1", "lease_s": "2", "rate_per_s": "0"}


class World:
    """A running country; every test takes factories and buyers of its own from it."""

    def __init__(self, folder: Path, url: str, collector: Collector) -> None:
        self.folder = folder
        self.url = url
        self.collector = collector
        self.questionnaire: Any = None
        self._makers = iter(MAKERS)
        self._brands = iter(BRANDS)
        self._owners = iter(OWNERS)

    def next_maker(self) -> Person:
        """A factory that no test had before."""
        return next(self._makers)

    def next_brand(self) -> Person:
        """A buyer that no test had before."""
        return next(self._brands)

    def next_owner(self) -> Person:
        """A manufacturing group that no test had before."""
        return next(self._owners)

    def sign_in(self, session: aiohttp.ClientSession) -> SignIn:
        """How one gets an access token here."""
        raise NotImplementedError

    async def restart_consent(self) -> None:
        """Kill what holds the consent ledger and what decides by it, and start both again."""
        raise NotImplementedError

    async def star(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line ``star`` with the settings of this country, as an operator would."""
        command = [str(Path(sys.executable).with_name("star")), *arguments]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """The variables with which the command line finds this country."""
        raise NotImplementedError

    def log_lines(self) -> list[str]:
        """What the processes of STAR logged so far."""
        raise NotImplementedError


class EmbeddedWorld(World):
    """The embedded country in a process of its own, so that it can be killed."""

    def __init__(self, folder: Path) -> None:
        self._port = free_ports(1)[0]
        super().__init__(folder, f"http://127.0.0.1:{self._port}", Collector())
        self.data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        command = [sys.executable, "-m", "tests.journeys.embedded_country"]
        self._process = spawn(command, self.folder / "embedded.log", self.environment())
        asyncio.run(self._ready())

    def stop(self) -> None:
        """Stop the process."""
        if self._process is not None:
            end(self._process)
        self.collector.close()

    def sign_in(self, session: aiohttp.ClientSession) -> SignIn:
        return development_sign_in(session, self.url)

    async def restart_consent(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        await asyncio.to_thread(self.start)

    @property
    def memory_mib(self) -> float:
        """The resident memory of the process."""
        assert self._process is not None
        return memory_mib(self._process.pid)

    def log_lines(self) -> list[str]:
        return (self.folder / "embedded.log").read_text("utf-8", errors="replace").splitlines()

    async def _ready(self) -> None:
        async with aiohttp.ClientSession() as session:

            async def is_ready() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/health/ready") as response:
                        return response.status == 200
                return False

            await eventually(is_ready, within_s=30, saying=f"the embedded country ready; see {self.folder}")

    def environment(self) -> dict[str, str]:
        settings = {
            "country": COUNTRY,
            "time_zone": TIME_ZONE,
            "port": str(self._port),
            "data_folder": str(self.data),
            "otlp_url": self.collector.url,
            **SETTINGS,
        }
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("STAR_")}
        return {**inherited, **{f"STAR_{key.upper()}": value for key, value in settings.items()}}


class DeployedWorld(World):
    """Six processes on real servers."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment.folder, deployment.url, deployment.collector)
        self.deployment = deployment

    def sign_in(self, session: aiohttp.ClientSession) -> SignIn:  # noqa: ARG002 - the issuer signs without a request
        async def sign(user: str) -> str:
            person = PERSON_BY_USER[user]
            claims = {"sub": user, "name": person.name, "star_party": person.party_id}
            return self.deployment.issuer.token("admin", **claims, star_roles=[role.value for role in person.roles])

        return sign

    async def restart_consent(self) -> None:
        for name in ("access", "gateway"):
            self.deployment.kill(name)
            self.deployment.start(name)
        await self.deployment.until_ready("access", "gateway")

    def environment(self) -> dict[str, str]:
        return self.deployment.environment("gateway")

    def log_lines(self) -> list[str]:
        logs = [self.folder / f"{name}.log" for name in PROCESSES]
        return [line for log in logs for line in log.read_text("utf-8", errors="replace").splitlines()]


@contextlib.contextmanager
def embedded_world(folder: Path) -> Iterator[EmbeddedWorld]:
    """An embedded country that is ready to be called."""
    world = EmbeddedWorld(folder)
    try:
        world.start()
        yield world
    finally:
        world.stop()


@contextlib.contextmanager
def deployed_world(folder: Path) -> Iterator[DeployedWorld]:
    """A deployed country that is ready to be called."""
    with deployed(folder, **SETTINGS) as deployment:
        yield DeployedWorld(deployment)


class Logged(msgspec.Struct, frozen=True):
    """A log line."""

    message: str
    level: str = ""
    service: str = ""
    trace_id: str = ""
