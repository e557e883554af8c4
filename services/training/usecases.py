"""What people and events do in training: load, decide, save with events."""

from datetime import datetime

from contracts.assessment import VisitFinalisedV1
from contracts.identifiers import derived_id
from contracts.identity import Scope
from services.runtime.bus import Delivery
from services.training import domain
from services.training.domain import Course
from services.training.store import Courses, Recommendations


async def offer_course(courses: Courses, course: Course) -> Course:
    """Add a course to the country's catalogue."""
    course.check()
    offered = course.normal()
    await courses.add(offered)
    return offered


async def recommend_courses(
    courses: Courses,
    recommendations: Recommendations,
    visit: VisitFinalisedV1,
    *,
    cause: Delivery,
    country: str,
    now: datetime,
) -> None:
    """Recommend the courses that answer a finalised visit's findings."""
    catalogue = await courses.all(Scope.whole(country))
    recommendation_id = derived_id("recommendation", visit.visit_id)
    recommendation, event = domain.recommend(recommendation_id, visit, catalogue, now=now)
    await recommendations.add(recommendation, event, cause)
