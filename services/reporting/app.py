"""The wiring of reporting: settings and ports in, a service out."""

from contracts.catalogue import heard_by
from services.reporting.api import routes
from services.reporting.consumers import consumers
from services.reporting.evidence.files import ReportFiles
from services.reporting.evidence.typesetting import Typesetter
from services.reporting.store import Cards, Questionnaires, Reports, Results
from services.reporting.usecases import Archive
from services.runtime.bus.dispatch import dispatcher
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import Settings

NAME = "reporting"


def make_service(settings: Settings, ports: Ports) -> Service:
    """Wire reporting; nothing is connected before the service is opened."""
    source = f"{settings.country}/{NAME}"
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    archive = Archive(
        cards=Cards(ports.documents, source=source, relay=relay),
        questionnaires=Questionnaires(ports.documents, source=source, relay=relay),
        reports=Reports(ports.documents, source=source, relay=relay),
        results=Results(ports.documents, source=source, relay=relay),
        files=ReportFiles(ports.files, Typesetter()),
    )
    heard = heard_by(NAME)
    ports.bus.subscribe(NAME, heard.keys(), dispatcher(NAME, heard, consumers(archive, country=settings.country)))
    app = make_app(
        "STAR reporting",
        [routes()],
        verifier=Verifier(settings.verify_key),
        dependencies={"reports": archive.reports, "results": archive.results, "report_files": archive.files},
        checks={"documents": ports.documents.ping, "files": ports.files.ping, "bus": ports.bus.ping},
    )
    return Service(NAME, app, ports, relay)
