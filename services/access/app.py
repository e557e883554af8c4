"""The wiring of access: settings and ports in, a service out."""

from zoneinfo import ZoneInfo

from services.access.api import routes
from services.access.store.charge import Charge
from services.access.store.ledger import Ledger
from services.access.store.parties import Buyers, Factories
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import Settings

NAME = "access"


def make_service(settings: Settings, ports: Ports) -> Service:
    """Wire access; nothing is connected before the service is opened."""
    source = f"{settings.country}/{NAME}"
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    factories = Factories(ports.documents, source=source, relay=relay)
    buyers = Buyers(ports.documents, source=source, relay=relay)
    ledger = Ledger(ports.documents, source=source, relay=relay)
    consent = Consent(ledger, Charge(ports.documents, lease_s=settings.lease_s), lease_s=settings.lease_s)
    app = make_app(
        "STAR access",
        routes(),
        verifier=Verifier(settings.verify_key),
        dependencies={
            "factories": factories,
            "buyers": buyers,
            "parties": Parties(factories, buyers),
            "ledger": ledger,
            "consent": consent,
            "programme_zone": ZoneInfo(settings.time_zone),
        },
        checks={
            "documents": ports.documents.ping,
            "files": ports.files.ping,
            "bus": ports.bus.ping,
            "consent": consent.check,
        },
    )
    return Service(NAME, app, ports, relay)
