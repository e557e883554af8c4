"""The wiring of access: settings and ports in, a service out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from contracts.catalogue import heard_by
from contracts.ledger import LedgerKey
from services.access.api import routes, scim
from services.access.consumers import consumers
from services.access.evidence import Papers
from services.access.store.agreements import Agreements
from services.access.store.changes import Journal
from services.access.store.charge import Charge
from services.access.store.disclosures import Disclosures
from services.access.store.ledger import Keys, Ledger
from services.access.store.members import Members
from services.access.store.notices import Readings
from services.access.store.organisations import Organisations, TermsRecords
from services.access.store.papers import ConsentPapers
from services.access.store.parties import Buyers, Factories
from services.access.store.reads import ReadPages
from services.access.store.receivers import Receivers
from services.access.store.repetitions import Repetitions
from services.access.store.requests import Requests
from services.access.store.webhooks import Webhooks
from services.access.usecases.agreements import Agreeing
from services.access.usecases.consent import Consent
from services.access.usecases.delivering import Delivering
from services.access.usecases.disclosures import Disclosing
from services.access.usecases.grants import Parties
from services.access.usecases.groups import Grouping
from services.access.usecases.histories import Histories
from services.access.usecases.members import Staff
from services.access.usecases.papers import PaperConsent
from services.access.usecases.reads import Recording
from services.access.usecases.requests import AccessRequests
from services.access.usecases.webhooks import Registering
from services.runtime.bus.dispatch import dispatcher
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.periodic import Periodic
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import InvalidSettings, Secret, Settings
from services.runtime.tracing import TracedApp

NAME = "access"
SWEEP_EVERY_S: Final = 60.0


class Swept(Protocol):
    """What brings about by itself what time, or a crash, left to be done."""

    async def sweep(self, *, now: datetime) -> None:
        """Bring it about; again changes nothing."""


class _Base(NamedTuple):
    """What most of access stands on."""

    ports: Ports
    source: str
    relay: Relay
    parties: Parties
    ledger: Ledger
    consent: Consent
    zone: ZoneInfo


def make_service(settings: Settings, ports: Ports) -> Service:
    """Wire access; nothing is connected before the service is opened."""
    source = f"{settings.country}/{NAME}"
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    keys = _keys(settings)
    ledger = Ledger(ports.documents, keys=keys, source=source, relay=relay)
    read_pages = ReadPages(ports.documents, ledger=ledger, keys=keys)
    consent = Consent(ledger, Charge(ports.documents, lease_s=settings.lease_s), lease_s=settings.lease_s)
    parties = _parties(ports, source, relay)
    zone = ZoneInfo(settings.time_zone)
    journal = _journal(ports, ledger, zone)
    webhooks = Webhooks(ports.documents)
    receivers = Receivers(allows_loopback=settings.webhook_loopback)
    delivering = Delivering(webhooks, journal, ledger, consent, receivers, country=settings.country, zone=zone)
    base = _Base(ports, source, relay, parties, ledger, consent, zone)
    dealings, swept = _dealings(base, request_days=settings.request_days)
    dependencies = {
        **_known(parties),
        "ledger": ledger,
        "journal": journal,
        "consent": consent,
        "webhooks": webhooks,
        "registering": Registering(webhooks, journal, ledger, zone=zone, allows_loopback=settings.webhook_loopback),
        "read_pages": read_pages,
        "repetitions": Repetitions(ports.documents),
        "recording": Recording(read_pages, ledger),
        "staff": Staff(Members(ports.documents, source=source, relay=relay), parties.buyers, ledger, consent),
        "scim_base": settings.public_url.rstrip("/") + scim.BASE,
        "programme_zone": zone,
        **_signed(base),
        **dealings,
        "readings": Readings(ports.documents, source=source, relay=relay),
    }
    app = _app(settings, ports, consent, dependencies)
    return Service(NAME, app, ports, relay, background=(*map(_sweeping, swept), delivering))


def _journal(ports: Ports, ledger: Ledger, zone: ZoneInfo) -> Journal:
    """The journal, which is written from what is announced."""
    journal, heard = Journal(ports.documents), heard_by(NAME)
    ports.bus.subscribe(NAME, heard.keys(), dispatcher(NAME, heard, consumers(journal, ledger, zone=zone)))
    return journal


def _parties(ports: Ports, source: str, relay: Relay) -> Parties:
    return Parties(
        Factories(ports.documents, source=source, relay=relay),
        Buyers(ports.documents, source=source, relay=relay),
        Organisations(ports.documents, source=source, relay=relay),
        Agreements(ports.documents, source=source, relay=relay),
        TermsRecords(ports.documents, source=source, relay=relay),
    )


def _known(parties: Parties) -> dict[str, object]:
    """Who takes part, and on which terms."""
    return {
        "factories": parties.factories,
        "buyers": parties.buyers,
        "organisations": parties.organisations,
        "parties": parties,
        "terms_records": parties.terms,
    }


def _signed(base: _Base) -> dict[str, object]:
    """What has to do with signed papers: agreements, and consent on paper."""
    papers = Papers(base.ports.files)
    scans = ConsentPapers(base.ports.documents, source=base.source, relay=base.relay)
    return {
        "agreements": base.parties.agreements,
        "papers": papers,
        "consent_papers": scans,
        "paper_consent": PaperConsent(scans, papers, base.parties, base.ledger, base.consent),
    }


def _dealings(base: _Base, *, request_days: int) -> tuple[dict[str, object], tuple[Swept, ...]]:
    """What parties do with each other, and the programme with them; with all of that which is swept."""
    ports, source, relay, parties, ledger, consent, zone = base
    requests = Requests(ports.documents, source=source, relay=relay)
    asking = AccessRequests(requests, parties, ledger, consent, zone=zone, days=request_days)
    disclosures = Disclosures(ports.documents, source=source, relay=relay)
    disclosing = Disclosing(disclosures, parties, ledger, consent, zone=zone)
    grouping = Grouping(parties.factories, ledger, consent)
    agreeing = Agreeing(parties.agreements, parties, Papers(ports.files), ledger, consent, zone=zone)
    histories = Histories(parties.buyers, ledger, consent, zone=zone)
    dealings: dict[str, object] = {
        # Litestar takes a wrong field of a body for a fault of ours when a dependency has the same name.
        "kept_requests": requests,
        "access_requests": asking,
        "disclosures": disclosures,
        "disclosing": disclosing,
        "grouping": grouping,
        "agreeing": agreeing,
    }
    return dealings, (asking, disclosing, grouping, agreeing, histories)


def _app(settings: Settings, ports: Ports, consent: Consent, dependencies: Mapping[str, object]) -> TracedApp:
    """The HTTP application, which is ready when all that it stands on is."""
    return make_app(
        "STAR access",
        routes(),
        verifier=Verifier(settings.verify_key),
        dependencies=dependencies,
        checks={
            "documents": ports.documents.ping,
            "files": ports.files.ping,
            "bus": ports.bus.ping,
            "consent": consent.check,
        },
    )


def _sweeping(what: Swept) -> Periodic:
    """Looks every minute what time, or a crash, brought about that is to be seen through."""

    async def sweep() -> None:
        await what.sweep(now=datetime.now(UTC))

    return Periodic(f"sweep of {type(what).__name__}", sweep, every_s=SWEEP_EVERY_S)


def make_process(settings: Settings, ports: Ports) -> Service:
    """Wire access for a process that answers people: without the key of the ledger it does not start."""
    settings.demand("ledger_key")
    return make_service(settings, ports)


def _keys(settings: Settings) -> Keys:
    """The keys of the ledger; raises ``InvalidSettings``."""
    return Keys(
        current=_key("STAR_LEDGER_KEY", settings.ledger_key),
        previous=_key("STAR_LEDGER_PREVIOUS_KEY", settings.ledger_previous_key),
        anchor=settings.ledger_anchor,
    )


def _key(name: str, seed: Secret) -> LedgerKey | None:
    try:
        return LedgerKey(seed) if seed else None
    except ValueError:
        raise InvalidSettings(f"{name} must be the base64 of 32 bytes; star ledger-key --new makes one") from None
