"""``star verify-log`` and ``star export-log`` as a person types them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from contracts.ledger import LedgerKey
from services.access.domain.reading import tail_of
from tests.access.commands import star
from tests.access.entries import KEY, NEXT_KEY, STRANGER, a_rotated_ledger, lines_of
from tests.access.logs import a_head, a_log, an_export, announcements
from tests.access.parties import a_factory
from tests.support.star import StarRun

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts:UserWarning")
PAGES, TAIL = a_log(KEY, KEY, NEXT_KEY)
HEAD = a_head(TAIL)
_, LEDGER = a_rotated_ledger()
NOTED = f"3:{TAIL.hash}"


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, Path]:
    lines, earlier = an_export(PAGES, HEAD), a_head(tail_of(PAGES[1]))
    contents = {
        "log": b"".join(lines),
        "cut": b"".join(lines[:-1]),
        "ledger": b"".join(lines_of(LEDGER)),
        "short": b"".join(lines_of(LEDGER[:3])),
        "stolen": b"".join(an_export(PAGES[:2], a_head(tail_of(PAGES[1]), KEY), announcements()[:1])),
        "older": b"".join(an_export(PAGES[:2], earlier)),
        "swapped": b"".join([*lines[:2], lines[3], lines[2], *lines[4:]]),
        "bent": b"".join(lines).replace(b"buyer-1", b"buyer-2", 1),
        "head": msgspec.json.encode(HEAD),
        "earlier": msgspec.json.encode(earlier),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def test_a_genuine_log_is_told_with_its_anchor_and_what_to_note(files: Mapping[str, Path]) -> None:
    done = star("verify-log", files["log"], "--anchor", KEY.id)
    assert done.returncode == 0, done.stderr
    assert "Genuine: 4 reads in 3 pages of factory f1, 2 keys." in done.stdout
    assert f"Anchor: {KEY.id}" in done.stdout
    assert f"Note: {NOTED}" in done.stdout
    assert "Not checked: whether this key was replaced before" in done.stdout
    assert "An older export shows only against what was noted" in done.stdout


@pytest.mark.parametrize("option", ["ledger", "key"])
def test_a_log_of_a_stolen_key_that_was_replaced_is_told(files: Mapping[str, Path], option: str) -> None:
    current = files["ledger"] if option == "ledger" else NEXT_KEY.id
    done = star("verify-log", files["log"], f"--{option}", current)
    assert (done.returncode, "Not checked" in done.stdout) == (0, False), done
    done = star("verify-log", files["stolen"], "--anchor", KEY.id)
    assert (done.returncode, "Not checked: whether this key was replaced before" in done.stdout) == (0, True)
    done = star("verify-log", files["stolen"], f"--{option}", current)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_log_does_not_stand_on_a_ledger_without_its_keys(files: Mapping[str, Path]) -> None:
    assert star("verify-log", files["log"], "--ledger", files["short"]).returncode == 1


@pytest.mark.parametrize("option", ["noted", "head"])
def test_an_older_log_is_told_by_what_was_noted(files: Mapping[str, Path], option: str) -> None:
    noted = NOTED if option == "noted" else files["head"]
    assert star("verify-log", files["older"]).returncode == 0
    assert star("verify-log", files["log"], f"--{option}", noted).returncode == 0
    assert star("verify-log", files["log"], "--head", files["earlier"]).returncode == 0
    done = star("verify-log", files["older"], f"--{option}", noted)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NOT genuine" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("cut",),
        ("swapped",),
        ("bent",),
        ("head",),
        ("log", "--anchor", STRANGER.id),
        ("log", "--noted", f"3:{'0' * 64}"),
        ("log", "--head", "log"),
    ],
    ids=["cut off", "reordered", "altered", "no log", "the log of another", "another page was noted", "no head"],
)
def test_what_is_not_genuine_is_told_and_fails(files: Mapping[str, Path], arguments: tuple[str, ...]) -> None:
    file, *options = (str(files[each]) if each in files else each for each in arguments)
    done = star("verify-log", file, *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NOT genuine" in done.stderr


def test_what_was_noted_is_spelt_as_it_was_printed(files: Mapping[str, Path]) -> None:
    done = star("verify-log", files["log"], "--noted", "three")
    assert (done.returncode, "PAGE:HASH" in done.stderr) == (2, True)


async def with_a_factory(country: StarRun) -> None:
    await country.start()
    async with country.as_user() as admin:
        await admin.post("/factories", a_factory())


def test_the_log_of_a_running_country_is_fetched_and_verifies(tmp_path: Path) -> None:
    country = StarRun(tmp_path)
    try:
        asyncio.run(with_a_factory(country))
        anchor = LedgerKey((country.data / "ledger.key").read_text()).id
        fetched = star("export-log", "f1", tmp_path / "log", "--url", country.url)
        assert fetched.returncode == 0, fetched.stderr
        refused = star("export-log", "f1", tmp_path / "other", "--url", country.url, "--user", "factory-1")
        assert (refused.returncode, "not_found" in refused.stderr) == (2, True)
    finally:
        country.close()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "other").exists()
    done = star("verify-log", tmp_path / "log", "--anchor", anchor)
    assert (done.returncode, "0 reads in 0 pages of factory f1" in done.stdout) == (0, True), done
