"""What reporting does when another service announces something."""

from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.access import FactoryChangedV1, FactoryRegisteredV1
from contracts.assessment import QuestionnairePublishedV1, VisitFinalisedV1
from contracts.events import Event
from services.reporting import usecases
from services.reporting.usecases import Archive
from services.runtime.bus import Delivery
from services.runtime.bus.dispatch import Consumer


def consumers(archive: Archive, *, country: str) -> Mapping[type[Event], Consumer]:
    """One consumer per event that reporting listens to."""

    async def on_factory_told(event: FactoryRegisteredV1 | FactoryChangedV1, delivery: Delivery) -> None:
        await usecases.keep_card(archive.cards, event, cause=delivery)

    async def on_questionnaire_published(event: QuestionnairePublishedV1, delivery: Delivery) -> None:
        await usecases.keep_questionnaire(archive.questionnaires, event, cause=delivery)

    async def on_visit_finalised(event: VisitFinalisedV1, delivery: Delivery) -> None:
        await usecases.freeze_report(archive, event, country=country, cause=delivery, now=datetime.now(UTC))

    return {
        FactoryRegisteredV1: on_factory_told,
        FactoryChangedV1: on_factory_told,
        QuestionnairePublishedV1: on_questionnaire_published,
        VisitFinalisedV1: on_visit_finalised,
    }
