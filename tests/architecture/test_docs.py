"""The documents tell the truth: every command, path and test they name exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import contracts

ROOT = Path(contracts.__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "DECISIONS.md",
    "CHANGELOG.md",
    "deploy/RUNNING.md",
    "deploy/THREATS.md",
    "gateway/BUYERS.md",
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_that_is_named_exists(name: str) -> None:
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text_of(name), re.MULTILINE)) <= TARGETS


def test_the_readme_shows_the_two_commands() -> None:
    assert {"run", "test"} <= set(re.findall(r"^make ([a-z-]+)", text_of("README.md"), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_is_named_exists(name: str) -> None:
    text = re.sub(r"\{[^}]*\}", "", text_of(name))
    named = re.findall(r"`((?:contracts|deploy|gateway|services|tests)/[\w./-]*)", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    for path in (*named, *(str(Path(name).parent / link) for link in links)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_test_that_is_named_exists(name: str) -> None:
    for path, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(name)):
        assert f"def {test}(" in text_of(path)


def test_every_threat_names_a_test_that_tries_it() -> None:
    rows = [line for line in text_of("deploy/THREATS.md").splitlines() if re.match(r"\| (?!\*\*|attack)", line)]
    assert len(rows) > 30
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", row), row


def test_every_star_command_in_the_readme_exists() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from deploy.cli import main; main()", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    named = re.search(r"`\.venv/bin/star run`((?:,\s`[^`]+`)+)", text_of("README.md"))
    assert named
    for command in re.findall(r",\s`([\w-]+)", named.group()):
        assert command in told


def test_the_readme_maps_every_folder() -> None:
    shown = set(re.findall(r"^\| `(\w+)/", text_of("README.md"), re.MULTILINE))
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True).stdout
    folders = {line.split("/")[0] for line in listed.splitlines() if "/" in line and not line.startswith(".")}
    assert folders <= shown
