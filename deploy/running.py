"""``star run`` and ``star demo``: a country in one process, with the demo country or with one walk through the path."""

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import msgspec

from deploy.client import Client, development_sign_in
from deploy.demo.load import load_demo
from deploy.demo.path import walk_the_path
from deploy.demo.people import COUNTRY, PEOPLE, STAFF, TIME_ZONE
from deploy.demo.steps import Step, StepFailed
from deploy.embedded import embedded
from deploy.terminal import console
from services.runtime.service import serve
from services.runtime.settings import Settings
from services.runtime.telemetry import flush_traces, set_up_logs


async def run_country(settings: Settings, *, with_demo: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; the demo country loads in the background, once per data folder."""
    set_up_logs("embedded", settings.log_level)
    url = f"http://{settings.host}:{settings.port}"
    async with embedded(settings, PEOPLE) as country, asyncio.TaskGroup() as background:
        loading: list[asyncio.Task[None]] = []

        def on_ready() -> None:
            _greet(url)
            if with_demo:
                loading.append(background.create_task(_load_once(settings.data_folder, url)))

        await serve(country.gateway.app, settings, on_ready)
        for task in loading:
            task.cancel()
    flush_traces()


def _greet(url: str) -> None:
    """Say where STAR is and who may come in."""
    staff = ", ".join(person.user for person in STAFF)
    console.print(f"[bold]STAR is ready at {url}[/bold]  (API: {url}/api/v1/openapi.json, Ctrl-C stops)")
    console.print(f"Demo users: {staff}, factory-1 ... factory-60, buyer-1 ... buyer-8")
    console.print(
        f"""A token:    curl -s {url}/dev/token -H 'content-type: application/json' -d '{{"user": "admin"}}'"""
    )


async def _load_once(folder: Path, url: str) -> None:
    """Load the demo country unless this folder holds it already; what was interrupted is completed."""
    marker = folder / "demo.loaded"
    if marker.exists():
        return
    try:
        async with client_of(url, "admin") as admin:
            await load_demo(admin, lambda text: console.print(f"demo country: {text}"))
        marker.touch()
        console.print("[bold]demo country: complete[/bold]")
    except Exception as error:  # noqa: BLE001 - the demo must not take the country down with it
        console.print(f"demo country: stopped by {error!r}; the next start completes it")


@contextlib.asynccontextmanager
async def client_of(url: str, user: str) -> AsyncIterator[Client]:
    """The API of an embedded run as one of its demo users."""
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(session, url, user, development_sign_in(session, url))


async def walk(tell: Callable[[Step], None]) -> list[Step]:
    """Walk the whole path once over HTTP in a temporary folder; raises ``StepFailed``."""
    set_up_logs("demo", "ERROR")
    with tempfile.TemporaryDirectory(prefix="star-demo-") as folder:
        settings = Settings(country=COUNTRY, time_zone=TIME_ZONE, data_folder=Path(folder), port=_free_port())
        async with embedded(settings, PEOPLE) as country:
            ready = asyncio.Event()
            server = asyncio.create_task(serve(country.gateway.app, settings, ready.set))
            await ready.wait()
            try:
                async with client_of(f"http://127.0.0.1:{settings.port}", "admin") as admin:
                    return await walk_the_path(admin, tell)
            finally:
                server.cancel()
                await asyncio.wait({server})


async def demo() -> bool:
    """Walk the path, a line a step; with ``DEMO_JSON=path`` the steps are also written as JSON. Tells success."""
    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        console.print(f"{step.step:<34}{step.actor:<12}{step.status}  {step.ms:>8.1f} ms  trace {step.trace_id}")

    failure = ""
    try:
        await walk(tell)
    except StepFailed as error:
        failure = str(error)
    if path := os.environ.get("DEMO_JSON"):
        await asyncio.to_thread(Path(path).write_bytes, msgspec.json.format(msgspec.json.encode(steps)))
    console.print(f"[red]{failure}[/red]" if failure else f"[bold]{len(steps)} steps, all as they must be.[/bold]")
    return not failure


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
