"""``star`` as a person types it: commands that end, and ``star run`` as a process of its own on a folder and a port."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from deploy.client import Client, client_of
from tests.servers.ports import free_ports
from tests.servers.process import end, end_at_once, spawn
from tests.support.eventually import eventually

STAR = Path(sys.executable).parent / "star"
READY = "STAR is ready at"


def environment(**settings: str) -> dict[str, str]:
    """What a shell would hand on, without anybody's ``STAR_*``, plus these variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAR_")}
    return {**inherited, "COLUMNS": "200", **settings}


def star(
    *arguments: object, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [str(STAR), *map(str, arguments)]
    env = environment(**(variables or {}))
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=50, cwd=cwd, env=env)


async def typed(
    *arguments: object, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end beside the event loop."""
    return await asyncio.to_thread(star, *arguments, cwd=cwd, variables=variables)


class StarRun:
    """``star run`` without the demo country, unless told otherwise; it keeps folder and port over stop and start."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "star.log"
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options or ("--no-demo-country",)
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None
        return self._process

    def spawn(self) -> None:
        """Start it without waiting; the log begins anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        command = [str(STAR), "run", "--data", str(self.data), "--port", str(self.port), *self._options]
        self._process = spawn(command, self.log, environment(**self._settings))

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.spawn()
        await self.until_told(READY)

    async def until_told(self, text: str, within_s: float = 40) -> None:
        """Wait until it has printed this."""

        def told() -> bool:
            if self.process.poll() is not None and text not in self.said:
                raise RuntimeError(f"star run ended with {self.process.returncode}: {self.said}")
            return text in self.said

        await eventually(told, within_s, saying=f"star run prints {text!r}")

    @property
    def said(self) -> str:
        """Everything that it printed."""
        return self.log.read_text(errors="replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def kill(self) -> None:
        """End it as a power cut would."""
        end_at_once(self.process)

    def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None:
            end(self._process)

    def limit_files_to(self, size: int) -> None:
        """Let no file grow beyond this many bytes, as a full disk would; -1 lifts it."""
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    @property
    def memory_mib(self) -> float:
        """Its resident memory now."""
        return memory_mib(self.process.pid)

    @contextlib.asynccontextmanager
    async def as_user(self, user: str = "admin") -> AsyncIterator[Client]:
        """Its API as one of the demo users."""
        async with client_of(self.url, user) as client:
            yield client

    async def until_answers(self, path: str = "/health/live") -> None:
        """Wait until it answers 200."""
        async with aiohttp.ClientSession() as session:

            async def answered() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}{path}") as response:
                        return response.status == 200
                return False

            await eventually(answered, 20, saying=f"{path} answers 200")


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """The resident memory of a process in MiB: now (``VmRSS``) or at most so far (``VmHWM``)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
