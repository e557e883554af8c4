"""The only wiring of the assessment service: ports to stores, stores to routes and consumers."""

from contracts.catalogue import heard_by
from services.assessment.api import ROUTES
from services.assessment.consumers import consumers
from services.assessment.domain.factory import Factory
from services.assessment.domain.imports import Import
from services.assessment.domain.questionnaire import Questionnaire
from services.assessment.domain.visit import Visit
from services.assessment.evidence import Evidences
from services.assessment.store import (
    FACTORY_INDEXES,
    QUESTIONNAIRE_INDEXES,
    VISIT_INDEXES,
    Factories,
    Imports,
    Questionnaires,
    Visits,
)
from services.runtime.aggregates import Aggregates
from services.runtime.bus.dispatch import dispatcher
from services.runtime.http import make_app
from services.runtime.identity import Verifier
from services.runtime.relay import Relay
from services.runtime.service import Ports, Service
from services.runtime.settings import Settings

NAME = "assessment"


def make_service(settings: Settings, ports: Ports) -> Service:
    """The service over these ports; nothing is connected before it is opened."""
    relay = Relay(ports.bus, scan_every_s=settings.outbox_scan_s)
    source = f"{settings.country}/{NAME}"
    collection = ports.documents.collection
    visit_documents = collection("visits", VISIT_INDEXES)
    questionnaires = Questionnaires(
        Aggregates(collection("questionnaires", QUESTIONNAIRE_INDEXES), Questionnaire, source=source, relay=relay)
    )
    visits = Visits(Aggregates(visit_documents, Visit, source=source, relay=relay), visit_documents)
    factories = Factories(Aggregates(collection("factories", FACTORY_INDEXES), Factory, source=source, relay=relay))
    imports = Imports(Aggregates(collection("imports"), Import, source=source, relay=relay))
    heard = heard_by(NAME)
    ports.bus.subscribe(NAME, heard.keys(), dispatcher(NAME, heard, consumers(factories)))
    app = make_app(
        "STAR assessment",
        ROUTES,
        verifier=Verifier(settings.verify_key),
        dependencies={
            "questionnaires": questionnaires,
            "visits": visits,
            "factories": factories,
            "imports": imports,
            "evidences": Evidences(ports.files),
        },
        checks={"documents": ports.documents.ping, "files": ports.files.ping, "bus": ports.bus.ping},
    )
    return Service(NAME, app, ports, relay)
