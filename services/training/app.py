"""The wiring of training: settings and ports in, a service out."""

from contracts.catalogue import heard_by
from services.runtime.bus.dispatch import dispatcher
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import Settings
from services.training.api import routes
from services.training.consumers import consumers
from services.training.store import Courses, Recommendations

NAME = "training"


def make_service(settings: Settings, ports: Ports) -> Service:
    """Wire training; nothing is connected before the service is opened."""
    source = f"{settings.country}/{NAME}"
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    courses = Courses(ports.documents, source=source, relay=relay)
    recommendations = Recommendations(ports.documents, source=source, relay=relay)
    heard = heard_by(NAME)
    ports.bus.subscribe(
        NAME, heard.keys(), dispatcher(NAME, heard, consumers(courses, recommendations, country=settings.country))
    )
    app = make_app(
        "STAR training",
        [routes()],
        verifier=Verifier(settings.verify_key),
        dependencies={"courses": courses, "recommendations": recommendations},
        checks={"documents": ports.documents.ping, "files": ports.files.ping, "bus": ports.bus.ping},
    )
    return Service(NAME, app, ports, relay)
