"""The same grants asked of OpenFGA (its memory store, on loopback), beside the gateway's decision over HTTP."""

import http.client
import random
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from contracts.vocabulary import ReportKind
from deploy.terminal import say
from services.runtime.identity import new_signing_key
from tests.bench.ledger import KINDS, buyer, entries, factory
from tests.bench.reads import CONCURRENCIES, Target, measured, serving
from tests.servers.install import go_program
from tests.servers.ports import LOOPBACK
from tests.servers.process import Server, ServerError

TUPLES_A_WRITE = 100
ASKED = 500
ROUNDS = 12
LOADS_IN_S = 300.0
IN_TERM = "in_term"
MODEL: dict[str, Any] = {
    "schema_version": "1.1",
    "type_definitions": [
        {"type": "buyer"},
        {
            "type": "factory",
            "relations": {kind.value: {"this": {}} for kind in KINDS},
            "metadata": {
                "relations": {
                    kind.value: {"directly_related_user_types": [{"type": "buyer", "condition": IN_TERM}]}
                    for kind in KINDS
                }
            },
        },
    ],
    "conditions": {
        IN_TERM: {
            "name": IN_TERM,
            "expression": "starts_on <= today && today <= ends_on",
            "parameters": {name: {"type_name": "TYPE_NAME_TIMESTAMP"} for name in ("today", "starts_on", "ends_on")},
        }
    },
}
TERM = {"starts_on": "2020-01-01T00:00:00Z", "ends_on": "2199-12-31T00:00:00Z"}


class OpenFga(Server):
    """OpenFGA with its memory store."""

    name = "openfga"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, external=False, ports=2)

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://{LOOPBACK}:{self.ports[0]}"

    def install(self) -> None:
        """See ``Server``."""
        go_program(self.name, instead="nothing: the benchmark goes on without it")

    def command(self) -> list[str]:
        """See ``Server``."""
        addresses = [
            f"--{kind}-addr={LOOPBACK}:{port}" for kind, port in zip(("http", "grpc"), self.ports, strict=True)
        ]
        quiet = ["--playground-enabled=false", "--metrics-enabled=false", "--log-level=error"]
        program = str(go_program(self.name, instead=""))
        return [program, "run", "--datastore-engine=memory", *addresses, *quiet]

    def answers(self) -> bool:
        """See ``Server``."""
        connection = http.client.HTTPConnection(LOOPBACK, self.ports[0], timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


async def main(grants: int, buyers: int, in_memory_us: float) -> None:
    """Measure and print, also against a decision without a hop; one line when OpenFGA cannot be had."""
    with tempfile.TemporaryDirectory(prefix="star-bench-") as name:
        server = OpenFga(Path(name))
        try:
            server.start()
        except ServerError as error:
            say(f"\nOpenFGA is left out: {str(error).splitlines()[0]}")
            return
        try:
            await _side_by_side(server, grants, buyers, in_memory_us)
        finally:
            server.stop()


async def _side_by_side(server: OpenFga, grants: int, buyers: int, in_memory_us: float) -> None:
    async with (
        aiohttp.ClientSession() as client,
        serving("gateways", grants, buyers, new_signing_key(), server.url) as ours,
    ):
        began = time.perf_counter()
        store, model, loaded = await _loaded(client, server.url, grants, buyers)
        took = f"{loaded:,} of {grants:,} grants were loaded in {time.perf_counter() - began:.1f} s"
        say(f"\ndecisions over HTTP; into OpenFGA's memory store {took}, a tuple for each kind")
        chance = random.Random(1)
        numbers = [chance.randrange(loaded) for _ in range(ASKED)]
        asked = [(buyer(n % buyers), factory(n // buyers), chance.choice(KINDS)) for n in numbers]
        targets = {
            "STAR": Target([(f"{ours['decisions']}/?{_query(*each)}", None) for each in asked]),
            "OpenFGA": Target([(f"{server.url}/stores/{store}/check", _check(model, *each)) for each in asked]),
        }
        for concurrency in CONCURRENCIES:
            found = await measured(client, targets, concurrency, rounds=ROUNDS)
            for name, rate in found.items():
                say(f"  {concurrency:>2} at a time  {name:<8} µs: {rate.took_us}")
            say(f"                STAR against OpenFGA: {found['STAR'].against(found['OpenFGA']):.1f} times the rate")
            if concurrency == 1:
                ratio = found["OpenFGA"].took_us.p50 / in_memory_us
                say(f"                the decision as the gateway makes it, without a hop: {ratio:,.0f} times faster")


def _query(buyer_id: str, factory_id: str, kind: ReportKind) -> str:
    return urlencode({"buyer": buyer_id, "factory": factory_id, "kind": kind.value})


def _check(model: str, buyer_id: str, factory_id: str, kind: ReportKind) -> bytes:
    asked = {"user": f"buyer:{buyer_id}", "relation": kind.value, "object": f"factory:{factory_id}"}
    context = {"today": "2026-01-01T00:00:00Z"}
    return msgspec.json.encode({"authorization_model_id": model, "tuple_key": asked, "context": context})


async def _loaded(client: aiohttp.ClientSession, url: str, grants: int, buyers: int) -> tuple[str, str, int]:
    """Write the grants as relations with a term while there is time.

    Returns the ids of the store and of the model, and how many grants were written.
    """
    store = (await _posted(client, f"{url}/stores", {"name": "star"}))["id"]
    model = (await _posted(client, f"{url}/stores/{store}/authorization-models", MODEL))["authorization_model_id"]
    tuples = (
        {
            "user": f"buyer:{entry.buyer_id}",
            "relation": kind.value,
            "object": f"factory:{entry.factory_id}",
            "condition": {"name": IN_TERM, "context": TERM},
        }
        for entry in entries(grants, buyers=buyers)
        for kind in entry.kinds
    )
    loaded, ends = 0, time.perf_counter() + LOADS_IN_S
    while time.perf_counter() < ends and (page := list(islice(tuples, TUPLES_A_WRITE))):
        body = {"authorization_model_id": model, "writes": {"tuple_keys": page}}
        await _posted(client, f"{url}/stores/{store}/write", body)
        loaded += len(page) // len(KINDS)
    return store, model, loaded


async def _posted(client: aiohttp.ClientSession, url: str, body: object) -> Any:
    async with client.post(url, data=msgspec.json.encode(body)) as answer:
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{url} answered {answer.status}: {await answer.text()}")
        return await answer.json()
