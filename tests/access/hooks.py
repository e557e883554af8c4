"""The parts of access that deliver webhooks, on a clock that tests turn, and a real receiver on this computer."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from contracts.identity import Scope
from contracts.ledger import LedgerKey
from contracts.remediation import PlanChangedV1
from contracts.vocabulary import COMPLIANCE_KINDS, ReportKind
from services.access.domain.consent import facts, paid
from services.access.domain.consent.endings import revocation
from services.access.domain.consent.facts import Fact
from services.access.domain.grant import Grant
from services.access.domain.webhook import CHOSEN, Endpoint, Scheme
from services.access.store.changes import Journal
from services.access.store.charge import Charge
from services.access.store.ledger import Keys, Ledger
from services.access.store.receivers import Receivers
from services.access.store.webhooks import Webhooks
from services.access.usecases.changes import note_change
from services.access.usecases.consent import Consent
from services.access.usecases.delivering import Delivering
from services.access.usecases.webhooks import Asked, Registering
from services.runtime.bus import Delivery
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from services.runtime.identity import new_signing_key
from services.runtime.relay import Relay
from tests.support.services import FAST, a_message

ZONE = ZoneInfo("Asia/Amman")
KEY = LedgerKey(new_signing_key())
OWN = Scope(country="JO", buyer_id="b1")


class Receiver:
    """A buyer's server: keeps what it got, and answers what it was told to."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer = 204
        self.headers: dict[str, str] = {}
        self.before: Callable[[], Awaitable[None]] | None = None

    @property
    def messages(self) -> list[Any]:
        return [msgspec.json.decode(body) for _, body in self.got]

    def told(self, kind: str) -> list[Any]:
        return [message["data"] for message in self.messages if message["type"] == kind]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
        if self.before is not None:
            await self.before()
        return web.Response(status=self.answer, headers=self.headers)


class Hooks:
    """Access as far as webhooks need it; ``now`` is the time."""

    def __init__(
        self,
        documents: SqliteDocuments,
        relay: Relay,
        receivers: Receivers,
        *,
        lease_s: float,
        journal: type[Journal] = Journal,
        webhooks: type[Webhooks] = Webhooks,
    ) -> None:
        self.documents = documents
        self.now = datetime(2026, 3, 10, 8, tzinfo=UTC)
        self.ledger = Ledger(documents, keys=Keys(current=KEY), source="JO/access", relay=relay)
        self.journal = journal(documents)
        self.consent = Consent(self.ledger, Charge(documents, lease_s=lease_s), lease_s=lease_s)
        self.webhooks = webhooks(documents)
        self.registering = Registering(self.webhooks, self.journal, self.ledger, zone=ZONE, allows_loopback=True)
        self.delivering = Delivering(
            self.webhooks,
            self.journal,
            self.ledger,
            self.consent,
            receivers,
            country="JO",
            zone=ZONE,
            clock=lambda: self.now,
        )
        self.changes = 0

    @property
    def today(self) -> date:
        return self.now.astimezone(ZONE).date()

    async def register(self, url: str, endpoint_id: str = "h1", scheme: Scheme = Scheme.V1) -> Endpoint:
        asked = Asked(id=endpoint_id, buyer_id="b1", url=url, types=CHOSEN, scheme=scheme, by="someone")
        return (await self.registering.register(asked, now=self.now))[0]

    async def share(self, grant_id: str = "g1", factory_id: str = "f1", *, ends_on: date | None = None) -> None:
        """The buyer is a partner and the factory grants it everything."""
        partner = paid.Entitlement(id=f"partner-{grant_id}", buyer_id="b1", starts_on=self.today)
        grant = Grant(
            id=grant_id,
            factory_id=factory_id,
            buyer_id="b1",
            kinds=COMPLIANCE_KINDS,
            starts_on=self.today,
            ends_on=ends_on,
            purpose="review",
        )
        for fact in (paid.EntitlementGiven(entitlement=partner), facts.GrantGiven(grant=grant)):
            await self.append(fact)

    async def pay(self, *, cycles: tuple[int, ...], factory_id: str = "f1") -> None:
        """The buyer spends a credit on cycles of a factory."""
        bought = paid.Entitlement(
            id=f"credit-{factory_id}", buyer_id="b1", factory_id=factory_id, cycles=cycles, starts_on=self.today
        )
        await self.append(paid.EntitlementGiven(entitlement=bought))

    async def end_partnership(self, grant_id: str = "g1") -> None:
        await self.append(paid.EntitlementEnded(record_id=f"partner-{grant_id}", buyer_id="b1", factory_id=""))

    async def append(self, fact: Fact) -> None:
        await self.ledger.append(lambda _: fact, by="someone", at=self.now)

    async def revoke(self, grant_id: str = "g1") -> None:
        """As the API does: durable first, and then in force."""
        fold = await self.ledger.append(lambda fold: revocation(fold, grant_id), by="someone", at=self.now)
        record = fold.record(grant_id)
        assert record is not None
        assert record.ended_epoch is not None
        await self.consent.in_force(record.ended_epoch, given=record.epoch)

    async def publish(self, plan_id: str = "p1", factory_id: str = "f1", *, at: datetime | None = None) -> None:
        """What is planned changed, or was released: just now, or ``at`` an earlier time and it is heard of only now."""
        self.changes += 1
        event = PlanChangedV1(plan_id=plan_id, factory_id=factory_id, cycle=1, kinds=(ReportKind.IMPROVEMENT_PLAN,))
        await note_change(
            self.journal,
            self.ledger,
            event.kinds,
            document_id=plan_id,
            factory_id=factory_id,
            cycle=1,
            cause=Delivery(a_message(event, subject=plan_id, sequence=self.changes, at=at or self.now), 1),
            now=self.now.astimezone(ZONE),
        )

    async def look(self) -> None:
        """Look once, and wait until what was begun is over."""
        await self.delivering.look()
        await self.delivering.sent()

    async def settle(self) -> None:
        """Look until nothing is due any more."""
        while True:
            await self.look()
            endpoints = await self.webhooks.enabled()
            if not [each for one in endpoints for each in await self.webhooks.due(one.id, now=self.now, limit=1)]:
                return

    async def endpoint(self, endpoint_id: str = "h1") -> Endpoint:
        return await self.webhooks.get(endpoint_id, OWN)

    async def after(self, **passed: float) -> None:
        self.now += timedelta(**passed)
        await self.look()


@contextlib.asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def hooks(
    folder: Path,
    *,
    receivers: Receivers | None = None,
    lease_s: float = 2.0,
    is_in_charge: bool = True,
    journal: type[Journal] = Journal,
    webhooks: type[Webhooks] = Webhooks,
) -> AsyncIterator[Hooks]:
    """Access in a folder; the same folder again continues where it was."""
    documents, queue = SqliteDocuments(folder / "access.sqlite"), SqliteDocuments(folder / "bus.sqlite")
    relay = Relay(InProcessBus(queue.collection("messages", INDEXES), FAST), scan_every_s=60)
    receivers = receivers or Receivers(allows_loopback=True, timeout_s=5)
    found = Hooks(documents, relay, receivers, lease_s=lease_s, journal=journal, webhooks=webhooks)
    await documents.start()
    try:
        if is_in_charge:
            await found.consent.check()
        yield found
    finally:
        await found.delivering.stop()
        await documents.stop()
