"""The events of services/training: recommended courses."""

from typing import ClassVar

from contracts.events import Event


class CoursesRecommendedV1(Event, frozen=True, kw_only=True):
    """Courses were recommended for the findings of a visit; remediation shows them beside the plan."""

    type: ClassVar[str] = "training.courses.recommended.v1"
    recommendation_id: str
    factory_id: str
    cycle: int
    visit_id: str
    course_ids: tuple[str, ...]
