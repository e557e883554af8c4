"""One server process: started, probed until it answers, stopped, killed, paused and resumed by its process id."""

import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.servers.ports import free_ports, is_free

START_DEADLINE = 90.0
STOP_DEADLINE = 30.0
_POLL = 0.1
_LOG_TAIL = 40

# The kernel kills a server when the *thread* that started it ends (PR_SET_PDEATHSIG), so that no server outlives
# a test run that was itself killed. Fixtures may start servers from short-lived threads, hence this one, which
# lives as long as the interpreter. The signal is KILL because TERM would wait for ever in a paused process.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")


class ServerError(Exception):
    """A server could not be installed, started, or asked for what a foreign deployment cannot do."""


def tail(log: Path) -> str:
    """Return the last lines of a log, or a sentence when there is none."""
    if not log.exists():
        return f"(no log at {log})"
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL:])


def spawn(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that dies with this interpreter; its output is appended to the log."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServerError("the test servers need setpriv (Debian package util-linux) to end with the test run")

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [setpriv, "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=environment,
                start_new_session=True,
            )

    return _starter.submit(start).result()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a spawned process: TERM and patience for itself, then KILL for all that is left of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)  # a paused process takes its TERM only when it goes on
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            end_at_once(process)
    _kill_group(process.pid)


def end_at_once(process: subprocess.Popen[bytes]) -> None:
    """Kill a spawned process and its group without a chance to flush."""
    if process.poll() is None:
        _kill_group(process.pid)
        process.wait(STOP_DEADLINE)


def _stands_still(task: Path) -> bool:
    """Tell whether the kernel has stopped a thread; one that is gone stands still as well."""
    try:
        return task.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return True


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


class Server:
    """A server in a folder of its own; it keeps port and data over stop and start.

    With `external` set, the server is somebody's deployment: start and stop do nothing, and whatever would need its
    process raises `ServerError`, so an outage test asks `external` first and skips.
    """

    name: ClassVar[str]

    def __init__(self, folder: Path, *, external: bool, ports: int = 1) -> None:
        self.folder = folder.resolve()
        self.external = external
        self.ports = [] if external else free_ports(ports)
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        """Put the server's programs into the cache or the system; does nothing when they are there."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command line of the server."""
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """Return what the server needs in its environment beside the basics."""
        return {}

    def prepare(self) -> None:
        """Write what the server reads at start."""

    def answers(self) -> bool:
        """Tell whether the server speaks its own protocol now."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """The file with everything the server ever printed."""
        return self.folder / f"{self.name}.log"

    @property
    def running(self) -> bool:
        """Whether our process of the server lives (paused counts); False for a foreign deployment."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; raises `ServerError` when the server does not run here."""
        return self._own().pid

    def environment(self) -> dict[str, str]:
        """Return the whole environment: nothing of the caller's settings leaks into a server but its search path."""
        basics = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "TMPDIR") if name in os.environ}
        return {**basics, "LANG": "C.UTF-8", "HOME": str(self.folder), **self.variables()}

    def start(self) -> None:
        """Install if needed, start, and return when the server answers; raises `ServerError` with the log's tail."""
        if self.external or self.running:
            return
        self.install()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._await_free_ports()
        self.prepare()
        self._process = spawn(self.command(), self.log, self.environment())
        try:
            self._await_answer(self._process)
        except BaseException:
            self.stop()
            raise

    def _await_free_ports(self) -> None:
        # Whoever else listens there would answer the probe in this server's name.
        deadline = time.monotonic() + STOP_DEADLINE
        while taken := [port for port in self.ports if not is_free(port)]:
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} cannot start: somebody else listens on its port {taken[0]}")
            time.sleep(_POLL)

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while not self.answers():
            if process.poll() is not None:
                raise ServerError(f"{self.name} ended with code {process.returncode}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} did not answer in {START_DEADLINE:.0f} s:\n{tail(self.log)}")
            time.sleep(_POLL)

    def stop(self) -> None:
        """Stop cleanly (TERM, then KILL after a while); the data stays. Does nothing when it does not run."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """Kill without warning, as a power cut would; start() brings it back on the same data."""
        self._own()
        self._end_at_once()

    def _end_at_once(self) -> None:
        if self._process is not None:
            end_at_once(self._process)
            self._process = None

    def restart(self) -> None:
        """Stop cleanly and start on the same port and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process and return when every thread stands still: connections stay open, nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + START_DEADLINE
        while not all(_stands_still(task) for task in Path(f"/proc/{self.pid}/task").iterdir()):
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} does not stop")
            time.sleep(_POLL)

    def resume(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def _own(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            state = "is a foreign deployment" if self.external else "does not run"
            raise ServerError(f"{self.name} {state}: there is no process of ours to signal")
        return self._process

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, whatever happened."""
        self.stop()
