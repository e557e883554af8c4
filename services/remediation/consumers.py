"""What remediation does when another service announces something."""

from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.assessment import QuestionnairePublishedV1, VisitFinalisedV1
from contracts.events import Event
from contracts.reporting import ReportReleasedV1
from contracts.training import CoursesRecommendedV1
from services.remediation import usecases
from services.remediation.store import Findings, Plans
from services.runtime.bus import Delivery
from services.runtime.bus.dispatch import Consumer


def consumers(plans: Plans, findings: Findings, *, country: str) -> Mapping[type[Event], Consumer]:
    """One consumer per event that remediation listens to."""

    async def on_visit_finalised(event: VisitFinalisedV1, delivery: Delivery) -> None:
        await usecases.open_plan(plans, event, cause=delivery, now=datetime.now(UTC))

    async def on_questionnaire_published(event: QuestionnairePublishedV1, delivery: Delivery) -> None:
        await usecases.keep_finding_texts(findings, event, cause=delivery)

    async def on_courses_recommended(event: CoursesRecommendedV1, delivery: Delivery) -> None:
        await usecases.recommend_courses(plans, event, cause=delivery, country=country)

    async def on_report_released(event: ReportReleasedV1, delivery: Delivery) -> None:
        await usecases.note_release(plans, event, cause=delivery, country=country)

    return {
        VisitFinalisedV1: on_visit_finalised,
        QuestionnairePublishedV1: on_questionnaire_published,
        CoursesRecommendedV1: on_courses_recommended,
        ReportReleasedV1: on_report_released,
    }
