"""The command line as a person types it: every command, and what it says when something is amiss."""

import os
import socket
import subprocess
from pathlib import Path

import aiohttp
import msgspec
import pytest

from contracts.catalogue import SERVICES
from deploy.cli import app
from deploy.client import development_sign_in
from deploy.demo.steps import Step
from services.runtime.identity import new_signing_key, verify_key_of
from tests.deploy.country import Columns, Country, a_file
from tests.servers.ports import free_ports
from tests.support.eventually import eventually
from tests.support.star import STAR, environment, star, typed

FULL_KIB = 600
"""No file of a demo on a full disk may grow beyond this: it starts, and comes to some of its steps."""

COMMANDS = ["", "run", "demo", "import", "export", "outbox", "keys", "park", "park list", "park show", "park replay"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    app([*command.split(), "--help"], result_action="return_value")
    assert f"Usage: star {command}".strip() in capsys.readouterr().out


def test_star_alone_lists_its_commands() -> None:
    told = star()
    assert (told.returncode, told.stderr) == (0, "")
    assert all(command in told.stdout for command in COMMANDS if " " not in command)


def test_star_works_from_any_folder_without_a_path(tmp_path: Path) -> None:
    told = star("keys", cwd=tmp_path, variables={"PATH": "/nowhere"})
    assert told.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_keys_are_two_lines_for_the_environment() -> None:
    lines = dict(line.split("=", 1) for line in star("keys").stdout.splitlines())
    assert list(lines) == ["STAR_SIGNING_KEY", "STAR_VERIFY_KEY"]
    assert verify_key_of(lines["STAR_SIGNING_KEY"]) == lines["STAR_VERIFY_KEY"]


def test_demo_ends_well_and_writes_its_steps(tmp_path: Path) -> None:
    told = star("demo", variables={"DEMO_JSON": str(tmp_path / "steps.json"), "TMPDIR": str(tmp_path)})
    assert told.returncode == 0, told.stdout + told.stderr
    steps = msgspec.json.decode((tmp_path / "steps.json").read_bytes(), type=list[Step])
    assert len(steps) == len(told.stdout.splitlines()) - 1
    assert all(step.step and step.actor and step.ms > 0 and len(step.trace_id) == 32 for step in steps)
    assert {step.status for step in steps} == {200, 201, 204, 404}
    assert [path.name for path in tmp_path.iterdir()] == ["steps.json"]


def test_demo_fails_when_a_step_does_and_writes_the_steps_until_then(tmp_path: Path) -> None:
    full = f"ulimit -f {FULL_KIB}; exec {STAR} demo"
    variables = environment(DEMO_JSON=str(tmp_path / "steps.json"), TMPDIR=str(tmp_path))
    told = subprocess.run(["bash", "-c", full], check=False, capture_output=True, text=True, timeout=50, env=variables)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "expected 20" in told.stderr
    steps = msgspec.json.decode((tmp_path / "steps.json").read_bytes(), type=list[Step])
    assert steps[-1].status == 503


def amiss(told: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that ended with code 2."""
    assert told.returncode == 2, told
    [sentence] = told.stderr.splitlines()
    return sentence


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert amiss(star("import", "nope.csv", cwd=tmp_path)) == "nope.csv: No such file or directory"


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_star_that_does_not_run_is_said_so_at_once(tmp_path: Path, command: str) -> None:
    path = a_file(tmp_path / "results.csv", [])
    sentence = amiss(star(command, path, "--url", f"http://127.0.0.1:{free_ports(1)[0]}"))
    assert sentence.startswith("STAR does not answer: ")


def test_stores_that_do_not_answer_are_said_so() -> None:
    nowhere, settings = free_ports(1)[0], {"environment": "deployed", "verify_key": verify_key_of(new_signing_key())}
    stores = {"mongo_url": f"mongodb://127.0.0.1:{nowhere}", "amqp_url": f"amqp://127.0.0.1:{nowhere}"}
    files = {"s3_url": f"http://127.0.0.1:{nowhere}", "s3_access_key": "star", "s3_secret_key": "secret"}
    variables = {f"STAR_{name.upper()}": value for name, value in {**settings, **stores, **files}.items()}
    assert amiss(star("outbox", variables=variables)) == "The documents cannot be reached just now."


def test_a_port_that_is_taken_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = amiss(star("run", "--data", tmp_path / "data", "--port", port))
    assert sentence == f"STAR cannot listen at 127.0.0.1:{port}: Address already in use."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/dev/null/data", "/proc/data"])
def test_a_data_folder_that_cannot_be_written_is_named(folder: str) -> None:
    assert amiss(star("run", "--data", folder, "--port", 0)).startswith(f"{folder}: ")


def test_a_data_folder_with_a_broken_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "access.sqlite").write_bytes(b"no database" * 1000)
    assert amiss(star("run", "--data", tmp_path, "--port", 0)) == (
        "The data folder cannot be used: file is not a database"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("STAR_LOG_LEVEL", "LOUD"), ("STAR_TRACE_RATIO", "half"), ("STAR_COUNTRY", "Jordan")]
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    assert name in amiss(star("run", "--data", tmp_path, "--port", 0, variables={name: value}))


def test_the_demo_country_stays_in_its_country(tmp_path: Path) -> None:
    sentence = amiss(star("run", "--data", tmp_path, "--port", 0, variables={"STAR_COUNTRY": "HT"}))
    assert sentence.startswith("STAR_COUNTRY: the demo country is JO")


async def test_a_data_folder_in_use_is_refused_with_who_uses_it(country: Country) -> None:
    told = await typed("run", "--data", country.star.data, "--port", 0)
    assert amiss(told).endswith(f"is used by a running STAR (process {country.star.process.pid}).")
    await country.star.until_answers()


@pytest.mark.parametrize("command", ["park list", "outbox"])
def test_a_folder_without_star_stays_as_it_is(tmp_path: Path, command: str) -> None:
    sentence = amiss(star(*command.split(), "--data", tmp_path / "data"))
    assert sentence == f"There is no STAR in the folder {tmp_path / 'data'}."
    assert list(tmp_path.iterdir()) == []


async def test_an_import_tells_its_counts_and_every_bad_row(country: Country, tmp_path: Path) -> None:
    visit = country.visit()
    position = visit.position("child_labourers_03")
    visit.rows[position][Columns["finding"]] = "[/red]\x1b[31m"
    told = await typed("import", a_file(tmp_path / "results.csv", visit.rows), "--url", country.star.url)
    assert told.returncode == 1
    assert f'line {position + 2}: The finding "[/red]\N{REPLACEMENT CHARACTER}[31m"' in told.stdout
    assert f"{len(visit.rows) - 1} imported, 0 unchanged, 1 rejected" in told.stdout


async def test_a_file_that_is_no_results_is_one_sentence(country: Country, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(b"Country;Factory id\r\n")
    sentence = amiss(await typed("import", path, "--url", country.star.url))
    assert sentence == "results.csv separates its columns by semicolons: save it with commas."


async def test_a_token_and_an_address_come_from_the_environment(country: Country, tmp_path: Path) -> None:
    path = a_file(tmp_path / "results.csv", country.visit().rows)
    async with aiohttp.ClientSession() as session:
        admin = await development_sign_in(session, country.star.url)("admin")
        buyer = await development_sign_in(session, country.star.url)("buyer-1")
    good = await typed("import", path, variables={"STAR_URL": country.star.url, "STAR_TOKEN": admin})
    assert good.returncode == 0, good.stderr
    for token, reason in ((buyer, "403 not_permitted"), ("forged", "401 not_authenticated")):
        told = await typed("import", path, variables={"STAR_URL": country.star.url, "STAR_TOKEN": token})
        assert amiss(told).startswith(reason)


async def test_an_export_that_is_refused_leaves_the_older_file(country: Country, tmp_path: Path) -> None:
    path = tmp_path / "exported.csv"
    path.write_text("older")
    sentence = amiss(await typed("export", path, "--url", country.star.url, "--user", "buyer-1"))
    assert sentence.startswith("403 not_permitted")
    assert path.read_text() == "older"
    assert os.listdir(tmp_path) == ["exported.csv"]  # noqa: PTH208 - iterdir is refused in a coroutine


async def test_the_outboxes_of_a_running_country_run_empty(country: Country) -> None:
    async def all_empty() -> bool:
        told = await typed("outbox", "--data", country.star.data)
        return [line.split()[:3] for line in told.stdout.splitlines()] == [[name, "0", "waiting"] for name in SERVICES]

    await eventually(all_empty, 20, saying="five services with empty outboxes")
