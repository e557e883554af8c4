"""Make ``.venv`` from the lock files with nothing but a plain Python: ``python3 deploy/bootstrap.py [--dev]``."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "star.stamp"
UV = "uv==0.13.9"
PYTHONS = ("python3.13", "python3.12", "python3.11", "python3")


def lock_file(*, dev: bool) -> Path:
    """The lock to install: the deployed set, or that set and the tools of development."""
    return ROOT / ("requirements-dev.lock" if dev else "requirements.lock")


def fingerprint(lock: Path) -> str:
    """What must be unchanged for an existing environment to be good: the lock, this file and the folder."""
    content = lock.read_bytes() + Path(__file__).read_bytes() + str(ROOT).encode()
    return hashlib.sha256(content).hexdigest()


def suitable_python() -> str:
    """The path of a Python of version 3.11 or newer; exits with a sentence when there is none."""
    for name in (sys.executable, *PYTHONS):
        path = shutil.which(name)
        probe = "import sys; sys.exit(sys.version_info < (3, 11))"
        if path and subprocess.run([path, "-c", probe], check=False).returncode == 0:
            return path
    sys.exit("STAR needs Python 3.11 or newer: install python3.11 and type the command again.")


def make_venv(python: str) -> None:
    """Create ``.venv``; on a Debian without ``ensurepip`` install python3-venv first."""
    command = [python, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, check=False, capture_output=True).returncode == 0:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit("Python cannot make virtual environments here: install the package python3-venv.")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", "python3-venv"], check=True)
    subprocess.run(command, check=True)


def install(lock: Path) -> None:
    """Install exactly what the lock names, by hash, and put the checkout and ``star`` on the path."""
    bin_folder = VENV / "bin"
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([str(bin_folder / "python"), "-m", "pip", "install", *quiet, UV], check=True)
    uv = [str(bin_folder / "uv"), "pip", "sync", "--quiet", "--require-hashes", str(lock)]
    subprocess.run(uv, check=True, env={**os.environ, "VIRTUAL_ENV": str(VENV)})
    site_packages = next((VENV / "lib").glob("python3.*/site-packages"))
    (site_packages / "star.pth").write_text(f"{ROOT}\n")
    star = bin_folder / "star"
    star.write_text(f"#!{bin_folder / 'python'}\nfrom deploy.cli import main\n\nmain()\n")
    star.chmod(0o755)


def main() -> None:
    """Bring ``.venv`` to what the lock says; do nothing when it is there already."""
    dev = "--dev" in sys.argv
    lock = lock_file(dev=dev)
    development = fingerprint(lock_file(dev=True))
    present = STAMP.read_text() if STAMP.exists() else ""
    if present in {fingerprint(lock), development}:
        return
    print(f"Installing {lock.name} into .venv ...", flush=True)
    STAMP.unlink(missing_ok=True)
    make_venv(suitable_python())
    install(lock)
    STAMP.write_text(fingerprint(lock))


if __name__ == "__main__":
    main()
