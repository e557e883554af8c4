"""What this service does when others announce something: it keeps the cards of factories."""

from collections.abc import Mapping

from contracts.access import FactoryChangedV1, FactoryRegisteredV1
from contracts.events import Event
from services.assessment.domain.factory import Factory
from services.assessment.store import Factories
from services.runtime.bus import Delivery
from services.runtime.bus.dispatch import Consumer


def consumers(factories: Factories) -> Mapping[type[Event], Consumer]:
    """The consumers by event."""

    async def on_factory_told(event: FactoryRegisteredV1 | FactoryChangedV1, delivery: Delivery) -> None:
        card = Factory(
            id=event.factory_id,
            original_id=event.original_id,
            name=event.name,
            country=event.country,
            industry=event.industry,
            time_zone=event.time_zone,
        )
        await factories.keep(card, cause=delivery)

    return {FactoryRegisteredV1: on_factory_told, FactoryChangedV1: on_factory_told}
