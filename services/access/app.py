"""The wiring of access: settings and ports in, a service out."""

from zoneinfo import ZoneInfo

from contracts.ledger import LedgerKey
from services.access.api import routes
from services.access.store.charge import Charge
from services.access.store.ledger import Keys, Ledger
from services.access.store.parties import Buyers, Factories
from services.access.usecases.consent import Consent
from services.access.usecases.grants import Parties
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import InvalidSettings, Secret, Settings

NAME = "access"


def make_service(settings: Settings, ports: Ports) -> Service:
    """Wire access; nothing is connected before the service is opened."""
    source = f"{settings.country}/{NAME}"
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    factories = Factories(ports.documents, source=source, relay=relay)
    buyers = Buyers(ports.documents, source=source, relay=relay)
    ledger = Ledger(ports.documents, keys=_keys(settings), source=source, relay=relay)
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
