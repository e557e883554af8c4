"""The secret of a webhook is in the one answer that shows it: in no log, span, refusal, list or message."""

import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.inprocess import InProcessUpstream
from tests.access.hooks import Receiver, a_receiver
from tests.access.parties import ADMIN, FACTORY, a_grant, access
from tests.gateway.running import Door, Got, a_gateway, everywhere
from tests.journeys.routes import DOCUMENT
from tests.support.eventually import eventually
from tests.support.services import Running
from tests.support.tracing import kept_spans

HOOKS = "/api/v1/webhooks"


class Shown:
    """The secrets that a buyer was shown, and everything else that it was answered."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.secrets: list[str] = []
        self.others: list[Got] = []

    async def ask(self, method: str, path: str, status: int, **options: object) -> None:
        got = await self._door.ask(method, path, "buyer", **options)
        assert got.status == status, got.body
        key = got.json().get("key") if "json" in got.headers.get("content-type", "") else None
        if key is None:
            self.others.append(got)
        else:
            assert got.headers["cache-control"] == "no-store"
            self.secrets.append(key)


async def registered_and_rotated(shown: Shown, url: str) -> None:
    """A webhook with five secrets one after another, and everything that may be asked and refused of it."""
    hook = {"id": "h1", "url": url}
    await shown.ask("POST", HOOKS, 201, json=hook, headers={"idempotency-key": "k1"})
    await shown.ask("POST", HOOKS, 201, json=hook)
    await shown.ask("POST", HOOKS, 409, json={**hook, "scheme": "v1a"})
    await shown.ask("POST", HOOKS, 400, json={**hook, "url": "https://10.0.0.1/"})
    for _ in range(4):
        await shown.ask("POST", f"{HOOKS}/h1/secret", 201)
    await shown.ask("POST", f"{HOOKS}/h1/secret", 409)
    await shown.ask("POST", f"{HOOKS}/h1/enabling", 201)
    await shown.ask("GET", f"{HOOKS}/h1", 200)
    await shown.ask("GET", HOOKS, 200)
    await shown.ask("GET", f"{HOOKS}?format=csv", 200)


async def told_in_vain(service: Running, receiver: Receiver) -> None:
    """Messages are signed, sent, and fail."""
    receiver.answer = 500
    await service.post("/api/v1/entitlements", ADMIN, {"buyer_id": "b1"})
    await service.post("/api/v1/grants", FACTORY, a_grant())
    await eventually(lambda: len(receiver.got) == 3, saying="three messages received")


async def test_the_secrets_of_a_webhook_are_shown_once_and_said_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    spans: InMemorySpanExporter = kept_spans()
    async with a_receiver() as receiver, access(tmp_path / "access", webhook_loopback=True) as service:
        upstreams = everywhere(InProcessUpstream(service.service.app))
        async with a_gateway(tmp_path, upstreams, document=DOCUMENT) as door:
            replica = door.gateway.app._proxy._replica
            await eventually(lambda: replica.lease_left_s() > 0, saying="a lease")
            shown = Shown(door)
            await registered_and_rotated(shown, receiver.url)
            await told_in_vain(service, receiver)
            await shown.ask("GET", f"{HOOKS}/h1", 200)
    assert len(shown.secrets) == 5
    logs = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    traced = "".join(span.to_json() for span in spans.get_finished_spans())
    answers = "".join(f"{got.headers} {got.body.decode()}" for got in shown.others)
    assert ("asyncio" in logs or "star" in logs, "webhook" in traced, "h1" in answers) == (True,) * 3, "nothing tried"
    for said in (logs, traced, answers, repr(receiver.got)):
        assert not [secret for secret in shown.secrets if secret.removeprefix("whsec_") in said]
