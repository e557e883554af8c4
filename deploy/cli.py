"""The command line ``star``: run a country, walk the demo, move results, and look after messages."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import aiohttp
import cyclopts
import uvloop
from cyclopts import Parameter
from rich.progress import Progress as Bar

from deploy.client import Client, Refused, development_sign_in
from deploy.demo.people import COUNTRY, TIME_ZONE
from deploy.exporter import export_results
from deploy.importer import Progress, UnreadableFile, import_results
from deploy.messages import outboxes, park
from deploy.running import demo, run_country
from deploy.terminal import console
from services.runtime.identity import new_signing_key, verify_key_of
from services.runtime.settings import InvalidSettings, Settings

app = cyclopts.App(name="star", help="STAR: assess, remediate, train, and share only as the factory approved.")
app.command(park)

Url = Annotated[str, Parameter(help="Where the gateway is", env_var="STAR_URL")]
User = Annotated[str, Parameter(help="Demo user of an embedded run")]
Token = Annotated[str, Parameter(help="Access token, for a deployed country", env_var="STAR_TOKEN")]
URL = "http://127.0.0.1:8000"


@app.command
def run(*, port: int = 8000, data: Path = Path("data"), demo_country: bool = True) -> None:
    """Serve everything in one process on one port, with one data folder."""
    settings = Settings.from_environment(
        country=COUNTRY, time_zone=TIME_ZONE, retry_delay_ms=500, port=port, data_folder=data
    )
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
        async with aiohttp.ClientSession() as session:
            size = await export_results(_client(session, url, user, token), file)
        console.print(f"{size:,} bytes written to {file}")

    uvloop.run(main())


@app.command
def outbox() -> None:
    """Tell what the outbox of each service still holds (of this data folder, or of the deployed country)."""
    for name, waiting, oldest in asyncio.run(outboxes(Settings.from_environment())):
        console.print(f"{name:<14}{waiting:>6} waiting{f', oldest from {oldest}' if oldest else ''}")


@app.command
def keys() -> None:
    """Make a signing key: the first line is the gateway's secret, the second goes to every service."""
    key = new_signing_key()
    print(f"STAR_SIGNING_KEY={key}\nSTAR_VERIFY_KEY={verify_key_of(key)}")


def _client(session: aiohttp.ClientSession, url: str, user: str, token: str) -> Client:
    async def given(_: str) -> str:
        return token

    return Client(session, url, user, given if token else development_sign_in(session, url))


async def _import(file: Path, url: str, user: str, token: str) -> int:
    """Import with a progress bar; 0 when every row was good, 1 when some were not."""
    told = 0
    async with aiohttp.ClientSession() as session:
        with Bar(console=console) as bar:
            task = bar.add_task(f"importing {file.name}", total=None)

            def report(progress: Progress) -> None:
                nonlocal told
                for rejection in progress.rejected[told:]:
                    bar.console.print(f"line {rejection.line}: {rejection.reason}")
                told = len(progress.rejected)
                text = f"{progress.lines:,} rows, {progress.finalised:,} visits finalised"
                bar.update(task, completed=progress.lines, description=text)

            done = await import_results(_client(session, url, user, token), file, report)
    for reason in done.refused:
        console.print(f"not finalised: {reason}")
    console.print(f"{done.imported:,} imported, {done.unchanged:,} unchanged, {len(done.rejected):,} rejected")
    return 1 if done.rejected or done.refused else 0


def main() -> None:
    """Run a command; what a person can mend is said in one sentence."""
    try:
        app()
    except (Refused, UnreadableFile, InvalidSettings, FileNotFoundError) as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(2)
    except aiohttp.ClientConnectionError as error:
        console.print(f"[red]STAR does not answer: {error}[/red]")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
