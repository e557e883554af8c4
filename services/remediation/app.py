"""The wiring of remediation: settings and ports in, a service out."""

from contracts.catalogue import heard_by
from services.remediation.api import routes
from services.remediation.consumers import consumers
from services.remediation.store import Findings, Plans
from services.runtime.bus.dispatch import dispatcher
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import Settings

NAME = "remediation"


def make_service(settings: Settings, ports: Ports) -> Service:
    """Wire remediation; nothing is connected before the service is opened."""
    source = f"{settings.country}/{NAME}"
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    plans = Plans(ports.documents, source=source, relay=relay)
    findings = Findings(ports.documents, source=source, relay=relay)
    heard = heard_by(NAME)
    ports.bus.subscribe(
        NAME, heard.keys(), dispatcher(NAME, heard, consumers(plans, findings, country=settings.country))
    )
    app = make_app(
        "STAR remediation",
        [routes()],
        verifier=Verifier(settings.verify_key),
        dependencies={"plans": plans, "findings": findings},
        checks={"documents": ports.documents.ping, "files": ports.files.ping, "bus": ports.bus.ping},
    )
    return Service(NAME, app, ports, relay)
