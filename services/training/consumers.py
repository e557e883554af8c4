"""What training does when another service announces something."""

from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.assessment import VisitFinalisedV1
from contracts.events import Event
from services.runtime.bus import Delivery
from services.runtime.bus.dispatch import Consumer
from services.training import usecases
from services.training.store import Courses, Recommendations


def consumers(courses: Courses, recommendations: Recommendations, *, country: str) -> Mapping[type[Event], Consumer]:
    """One consumer per event that training listens to."""

    async def on_visit_finalised(event: VisitFinalisedV1, delivery: Delivery) -> None:
        now = datetime.now(UTC)
        await usecases.recommend_courses(courses, recommendations, event, cause=delivery, country=country, now=now)

    return {VisitFinalisedV1: on_visit_finalised}
