"""``star verify-ledger`` and the other commands on the ledger as a person types them, without a country."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from contracts.ledger import LedgerKey
from services.access.domain.consent.fold import Fold
from tests.access.commands import star
from tests.access.entries import KEY, NEXT_KEY, STRANGER, a_forged_receipt, a_receipt, a_rotated_ledger, lines_of
from tests.support.star import StarRun

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts:UserWarning")
FOLD, ENTRIES = a_rotated_ledger()


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, Path]:
    contents = {
        "ledger": b"".join(lines_of(ENTRIES)),
        "cut": b"".join(lines_of(ENTRIES[:-1])),
        "short": b"".join(lines_of(ENTRIES[:3])),
        "bent": b"".join(lines_of(ENTRIES)).replace(b"Rana", b"Rima"),
        "receipt": a_receipt(FOLD),
        "stolen": a_forged_receipt(),
        "first": a_receipt(Fold(ENTRIES[:3])),
        "forged": a_receipt(FOLD).replace(b"consent withdrawn", b"consent given"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def test_a_genuine_ledger_is_told_with_its_anchor_and_head(files: Mapping[str, Path]) -> None:
    done = star("verify-ledger", files["ledger"], "--anchor", KEY.id)
    assert done.returncode == 0, done.stderr
    assert "Genuine: 5 entries, signed by 2 keys in turn." in done.stdout
    assert f"Anchor: {KEY.id}" in done.stdout
    assert f"Head: 5:{ENTRIES[-1].hash}" in done.stdout
    assert f"Key: {NEXT_KEY.id}" in done.stdout
    assert "Whether this key was replaced since does not show" in done.stdout
    assert "Entries cut off at the end do not show" in done.stdout


@pytest.mark.parametrize("option", ["head", "receipt"])
def test_a_ledger_that_was_cut_off_is_told_by_what_was_noted(files: Mapping[str, Path], option: str) -> None:
    noted = f"5:{ENTRIES[-1].hash}" if option == "head" else files["receipt"]
    assert star("verify-ledger", files["cut"]).returncode == 0
    assert star("verify-ledger", files["ledger"], f"--{option}", noted).returncode == 0
    done = star("verify-ledger", files["cut"], f"--{option}", noted)
    assert done.returncode == 1
    assert "NOT genuine" in done.stderr


def test_a_genuine_receipt_is_told_with_what_it_proves(files: Mapping[str, Path]) -> None:
    done = star("verify-receipt", files["receipt"])
    assert done.returncode == 0, done.stderr
    for told in ("Genuine: consent g1.", "consent given, epoch 2", "consent withdrawn, epoch 5", "By f1 for b1"):
        assert told in done.stdout
    assert "The anchor was not compared" in done.stdout
    assert "Not checked: whether this key was replaced before" in done.stdout
    assert "What came after this does not show here" in done.stdout


def test_a_receipt_is_checked_against_the_ledger(files: Mapping[str, Path]) -> None:
    for receipt in ("receipt", "first"):
        done = star("verify-receipt", files[receipt], "--ledger", files["ledger"], "--key", NEXT_KEY.id)
        assert (done.returncode, "stands on the ledger that was given, which ends at epoch 5" in done.stdout) == (
            0,
            True,
        )
        assert "Not checked" not in done.stdout
    assert star("verify-receipt", files["first"], "--key", KEY.id).returncode == 0


def test_what_a_stolen_key_signed_that_was_replaced_is_told(files: Mapping[str, Path]) -> None:
    done = star("verify-receipt", files["stolen"], "--anchor", KEY.id)
    assert (done.returncode, "Not checked: whether this key was replaced before" in done.stdout) == (0, True)
    for option in (("--ledger", files["ledger"]), ("--key", NEXT_KEY.id)):
        done = star("verify-receipt", files["stolen"], *option)
        assert (done.returncode, done.stdout) == (1, "")
    # A ledger that ends before the replacement is no better than none.
    done = star("verify-receipt", files["first"], "--ledger", files["short"], "--key", NEXT_KEY.id)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_receipt_that_tells_another_entry_than_was_noted_is_told(files: Mapping[str, Path]) -> None:
    noted = f"5:{'0' * 64}"
    done = star("verify-ledger", files["ledger"], "--head", noted, "--receipt", files["receipt"])
    assert (done.returncode, done.stdout) == (1, "")
    assert "another entry at epoch 5 than the one that was noted" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify-ledger", "bent"),
        ("verify-receipt", "forged"),
        ("verify-receipt", "ledger"),
        ("verify-ledger", "ledger", "--anchor", STRANGER.id),
        ("verify-receipt", "receipt", "--anchor", STRANGER.id),
        ("verify-ledger", "short", "--key", NEXT_KEY.id),
    ],
    ids=["altered ledger", "altered receipt", "no receipt", "ledger of another", "receipt of another", "another key"],
)
def test_what_is_not_genuine_is_told_and_fails(files: Mapping[str, Path], arguments: tuple[str, ...]) -> None:
    command, file, *options = arguments
    done = star(command, files[file], *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "NOT genuine" in done.stderr


def test_a_new_key_is_made_with_its_fingerprint() -> None:
    lines = dict(line.split("=", 1) for line in star("ledger-key", "--new").stdout.splitlines())
    assert LedgerKey(lines["STAR_LEDGER_KEY"]).id == lines["STAR_LEDGER_ANCHOR"]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = star("verify-ledger", tmp_path / "nothing")
    assert (done.returncode, "nothing" in done.stderr) == (2, True)


def kept_anchor(folder: Path) -> str:
    return LedgerKey((folder / "ledger.key").read_text()).id


def modes(folder: Path) -> dict[str, int]:
    """Who may read what was fetched."""
    wanted = ("ledger", "other", ".ledger.part", ".other.part")
    return {name: (folder / name).stat().st_mode & 0o777 for name in wanted if (folder / name).exists()}


def test_the_ledger_of_a_running_country_is_fetched_and_verifies(tmp_path: Path) -> None:
    country = StarRun(tmp_path)
    try:
        asyncio.run(country.start())
        anchor = kept_anchor(country.data)
        told = star("ledger-key", "--url", country.url)
        assert (told.returncode, told.stdout.strip()) == (0, anchor), told.stderr
        fetched = star("export-ledger", tmp_path / "ledger", "--url", country.url)
        assert fetched.returncode == 0, fetched.stderr
        refused = star("export-ledger", tmp_path / "other", "--url", country.url, "--user", "factory-1")
        assert (refused.returncode, "not_permitted" in refused.stderr) == (2, True)
    finally:
        country.close()
    assert modes(tmp_path) == {"ledger": 0o600}
    done = star("verify-ledger", tmp_path / "ledger", "--anchor", anchor)
    assert (done.returncode, "1 entries" in done.stdout) == (0, True), done
