"""``star run`` and ``star demo``: a country in one process, with the demo country or with one walk through the path."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import msgspec

from deploy.client import Refused, client_of
from deploy.demo.load import load_demo
from deploy.demo.path import walk_the_path
from deploy.demo.people import BUYERS, COUNTRY, FACTORIES, GROUP, PEOPLE, STAFF, TIME_ZONE
from deploy.demo.steps import Step, StepFailed
from deploy.embedded import embedded
from deploy.terminal import complain, say
from gateway.connections import RevocableHttp
from services.runtime.service import serve
from services.runtime.settings import Environment, InvalidSettings, Settings
from services.runtime.telemetry import flush_traces, set_up_logs

BACKLOG = 2048


class PortTaken(Exception):
    """Nothing can listen at the address."""


def settings_of_run(environ: Mapping[str, str], *, port: int, data: Path, with_demo: bool) -> Settings:
    """What the environment says, else what suits a laptop and the demo country; raises ``InvalidSettings``."""
    defaults: dict[str, object] = {
        "country": COUNTRY,
        "time_zone": TIME_ZONE,
        "log_level": "WARNING",
        "retry_delay_ms": 500,
        "grace_s": 2.0,
        "rate_per_s": 0.0,
    }
    chosen = {name: value for name, value in defaults.items() if f"STAR_{name.upper()}" not in environ}
    fixed = {"environment": Environment.EMBEDDED, "port": port, "data_folder": data}
    settings = Settings.from_environment(environ, **chosen, **fixed)
    if with_demo and settings.country != COUNTRY:
        raise InvalidSettings(f"STAR_COUNTRY: the demo country is {COUNTRY}; another one takes --no-demo-country")
    return settings


async def run_country(settings: Settings, *, with_demo: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; the demo country loads in the background, once per data folder.

    Raises ``PortTaken`` and ``FolderInUse`` before anything is changed.
    """
    set_up_logs("embedded", settings.log_level)
    with _listening(settings.host, settings.port) as listener:
        settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])
        url = f"http://{settings.host}:{settings.port}"
        async with embedded(settings, PEOPLE) as country, asyncio.TaskGroup() as background:
            loading: list[asyncio.Task[None]] = []

            def on_ready() -> None:
                _greet(url)
                if with_demo:
                    loading.append(background.create_task(_load_once(settings.data_folder, url)))

            await serve(country.gateway.app, settings, on_ready, sockets=[listener], http=RevocableHttp)
            for task in loading:
                task.cancel()
    flush_traces()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens from now on, so that nobody else gets the port; raises ``PortTaken``."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise PortTaken(f"STAR cannot listen at {host}:{port}: {reason}.") from None


def _greet(url: str) -> None:
    """Say where STAR is and who may come in."""
    staff = ", ".join(person.user for person in STAFF)
    say(f"STAR is ready at {url}  (API: {url}/api/v1/openapi.json, Ctrl-C stops)", "bold")
    say(f"Demo users: {staff}, factory-1 ... factory-{FACTORIES}, buyer-1 ... buyer-{BUYERS}, {GROUP.user}")
    say(f"""A token:    curl -s {url}/dev/token -H 'content-type: application/json' -d '{{"user": "admin"}}'""")


async def _load_once(folder: Path, url: str) -> None:
    """Load the demo country unless this folder holds it already; what was interrupted is completed."""
    marker = folder / "demo.loaded"
    if marker.exists():
        return
    try:
        async with client_of(url, "admin") as admin:
            await load_demo(admin, lambda text: say(f"demo country: {text}"))
        marker.touch()
        say("demo country: complete", "bold")
    except aiohttp.ClientError:
        say("demo country: interrupted; the next start completes it")
    except Exception as error:  # noqa: BLE001 - the demo must not take the country down with it
        say(f"demo country: stopped by {error!r}; the next start completes it")


async def walk(tell: Callable[[Step], None]) -> list[Step]:
    """Walk the whole path once over HTTP in a temporary folder; raises ``StepFailed``."""
    set_up_logs("demo", "ERROR")
    with tempfile.TemporaryDirectory(prefix="star-demo-") as folder, _listening("127.0.0.1", 0) as listener:
        port: int = listener.getsockname()[1]
        settings = Settings(country=COUNTRY, time_zone=TIME_ZONE, data_folder=Path(folder), port=port)
        async with embedded(settings, PEOPLE) as country:
            server = asyncio.create_task(serve(country.gateway.app, settings, sockets=[listener], http=RevocableHttp))
            try:
                async with client_of(f"http://127.0.0.1:{port}", "admin") as admin:
                    return await walk_the_path(admin, tell)
            finally:
                server.cancel()
                await asyncio.wait({server})


async def demo() -> bool:
    """Walk the path, a line a step; with ``DEMO_JSON=path`` the steps are also written as JSON. Tells success."""
    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        say(f"{step.step:<34}{step.actor:<12}{step.status}  {step.ms:>8.1f} ms  trace {step.trace_id}")

    failure = ""
    try:
        await walk(tell)
    except (StepFailed, Refused, aiohttp.ClientError) as error:
        failure = str(error)
    if path := os.environ.get("DEMO_JSON"):
        await asyncio.to_thread(Path(path).write_bytes, msgspec.json.format(msgspec.json.encode(steps)))
    if failure:
        complain(failure)
    else:
        say(f"{len(steps)} steps, all as they must be.", "bold")
    return not failure
