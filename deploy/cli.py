"""The command line ``star``: run a country, walk the demo, move results, and look after messages."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import aiohttp
import cyclopts
import uvloop
from cyclopts import Parameter, validators
from rich.progress import Progress as Bar

from deploy.client import Refused, client_of
from deploy.embedded import FolderInUse
from deploy.exporter import export_results
from deploy.importer import Progress, import_results
from deploy.messages import DataFolder, NoData, outboxes, park, settings_of
from deploy.options import URL, Token, Url, User
from deploy.read_log import register as register_read_log
from deploy.results_file import Rejection, UnreadableFile
from deploy.running import PortTaken, demo, run_country, settings_of_run
from deploy.terminal import complain, console, say, visible
from deploy.verify import register as register_ledger
from services.runtime.identity import new_signing_key, verify_key_of
from services.runtime.settings import InvalidSettings
from services.runtime.unavailable import StoreUnavailable

app = cyclopts.App(name="star", help="STAR: assess, remediate, train, and share only as the factory approved.")
app.command(park)
register_ledger(app)
register_read_log(app)

Port = Annotated[
    int,
    Parameter(
        help="Port to listen on; 0 takes a free one", env_var="STAR_PORT", validator=validators.Number(gte=0, lte=65535)
    ),
]


@app.command
def run(*, port: Port = 8000, data: DataFolder = Path("data"), demo_country: bool = True) -> None:
    """Serve everything in one process on one port, with one data folder."""
    settings = settings_of_run(os.environ, port=port, data=data, with_demo=demo_country)
    uvloop.run(run_country(settings, with_demo=demo_country))


@app.command(name="demo")
def walk_demo() -> None:
    """Walk the whole path once in a temporary folder, a line a step."""
    sys.exit(0 if uvloop.run(demo()) else 1)


@app.command(name="import")
def import_(file: Path, *, url: Url = URL, user: User = "admin", token: Token = "") -> None:
    """Import a results file in the long format; bad rows are told with line and reason, good ones are imported."""
    sys.exit(uvloop.run(_import(file, url, user, token)))


@app.command
def export(file: Path, *, url: Url = URL, user: User = "admin", token: Token = "") -> None:
    """Export all finalised results in the long format."""

    async def main() -> None:
        async with client_of(url, user, token) as client:
            size = await export_results(client, file)
        say(f"{size:,} bytes written to {file}")

    uvloop.run(main())


@app.command
def outbox(*, data: DataFolder = Path("data")) -> None:
    """Tell what the outbox of each service still holds (of this data folder, or of the deployed country)."""
    for name, waiting, oldest in asyncio.run(outboxes(settings_of(data))):
        say(f"{name:<14}{waiting:>6} waiting{f', oldest from {oldest}' if oldest else ''}")


@app.command
def keys() -> None:
    """Make a signing key: the first line is the gateway's secret, the second goes to every service."""
    key = new_signing_key()
    print(f"STAR_SIGNING_KEY={key}\nSTAR_VERIFY_KEY={verify_key_of(key)}")


async def _import(file: Path, url: str, user: str, token: str) -> int:
    """Import with a progress bar; 0 when every row was good, 1 when some were not."""
    async with client_of(url, user, token) as client:
        with Bar(console=console) as bar:
            task = bar.add_task(f"importing {visible(file.name)}", total=None)

            def report(progress: Progress, rejected: Sequence[Rejection]) -> None:
                for each in rejected:
                    say(f"line {each.line}: {each.reason}")
                text = f"{progress.lines:,} rows, {progress.finalised:,} visits finalised"
                bar.update(task, total=progress.total, completed=progress.lines, description=text)

            done = await import_results(client, file, report)
    for reason in done.refused:
        say(f"not finalised: {reason}")
    say(f"{done.imported:,} imported, {done.unchanged:,} unchanged, {done.rejected:,} rejected")
    return 1 if done.rejected or done.refused else 0


def main() -> None:
    """Run a command; what a person can mend is said in one sentence."""
    try:
        app()
    except (Refused, UnreadableFile, InvalidSettings, PortTaken, FolderInUse, NoData, StoreUnavailable) as error:
        sentence = str(error)
    except aiohttp.ClientConnectionError as error:
        sentence = f"STAR does not answer: {error}"
    except (aiohttp.ClientError, TimeoutError) as error:
        sentence = f"STAR broke off: {error!r}"
    except sqlite3.DatabaseError as error:
        sentence = f"The data folder cannot be used: {error}"
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        sys.exit(130)
    else:
        return
    complain(sentence)
    sys.exit(2)
