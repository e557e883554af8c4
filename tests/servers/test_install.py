"""The installer of the test servers: nothing half made is trusted, nothing is built twice, and refusals help."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ServerError, install
from tests.servers.mongodb import MONGO_URL


def test_an_installer_that_is_killed_leaves_nothing_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    half = install.cache() / "unfinished-killed"
    half.mkdir()
    (half / "minio").write_text("half a program")
    monkeypatch.setenv("PATH", _path_with_go_that_writes(tmp_path / "bin", "a whole program"))
    assert install.go_program("minio", instead="-").read_text() == "a whole program\n"
    assert not half.exists()


def test_two_installers_at_once_build_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", _path_with_go_that_writes(tmp_path / "bin", "built", seconds=1))
    command = "from tests.servers.install import go_program; go_program('minio', instead='-')"
    runs = [subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.PIPE) for _ in range(3)]
    said = b"".join(run.communicate()[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert said.count(b"done in") == 1


def test_a_failed_installation_names_the_variable_that_spares_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match=r"only root on Debian .* or set STAR_TEST_MONGO_URL to"):
        install.java_folder(Path(__file__).parent / "mongo", instead=MONGO_URL)


def _path_with_go_that_writes(folder: Path, content: str, seconds: int = 0) -> str:
    """A search path whose `go` takes its time and installs a text: what is tested is the cache, not the compiler."""
    folder.mkdir()
    go = folder / "go"
    script = f'[ "$1" = env ] && echo go1.99.0 && exit\nsleep {seconds}\necho {content} > "$GOBIN/minio"\n'
    go.write_text("#!/bin/sh\n" + script)
    go.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
