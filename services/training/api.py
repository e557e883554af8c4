"""The HTTP routes of training: parse, authorise, call, answer."""

from typing import Annotated

import msgspec
from litestar import Router, get, post
from uuid_utils.compat import uuid7

from contracts.assessment import Texts
from contracts.identifiers import Id
from contracts.identity import Principal
from contracts.permissions import Permission
from services.runtime.aggregates import Found
from services.runtime.http import Injected, PageSize, requires
from services.training import usecases
from services.training.domain import Course, Recommendation, ShortText
from services.training.store import Courses, Recommendations


class NewCourse(msgspec.Struct, frozen=True, kw_only=True):
    """A course to offer in this country."""

    id: Id | None = None
    titles: Texts
    audience: ShortText
    hours: Annotated[int, msgspec.Meta(ge=1, le=400)]
    place: ShortText
    min_participants: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    max_participants: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 25
    compliance_points: tuple[str, ...]


class CoursePage(msgspec.Struct, frozen=True):
    """The whole catalogue; it is short enough for one page."""

    items: list[Course]
    next_cursor: str | None = None


class RecommendationPage(msgspec.Struct, frozen=True):
    """One page of recommendations and the cursor of the next."""

    items: list[Recommendation]
    next_cursor: str | None


@get("/training/courses", guards=[requires(Permission.COURSE_READ)])
async def list_courses(principal: Injected[Principal], courses: Injected[Courses]) -> CoursePage:
    """List the course catalogue."""
    return CoursePage(await courses.all(principal.scope()))


@get("/training/courses/{course_id:str}", guards=[requires(Permission.COURSE_READ)])
async def read_course(principal: Injected[Principal], courses: Injected[Courses], course_id: str) -> Course:
    """Read one course."""
    return await courses.get(course_id, principal.scope())


@post("/training/courses", guards=[requires(Permission.COURSE_OFFER)])
async def offer_course(courses: Injected[Courses], data: NewCourse) -> Course:
    """Add a course to the country's catalogue."""
    course = Course(**{**msgspec.structs.asdict(data), "id": data.id or str(uuid7())})
    return await usecases.offer_course(courses, course)


@get("/training/recommendations", guards=[requires(Permission.RECOMMENDATION_READ)])
async def list_recommendations(
    principal: Injected[Principal],
    recommendations: Injected[Recommendations],
    factory_id: str | None = None,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> RecommendationPage:
    """List the recommendations that the caller may see, newest first."""
    scope = principal.scope()
    page: Found[Recommendation] = await recommendations.find(scope, factory_id=factory_id, limit=limit, after=cursor)
    return RecommendationPage(page.items, page.next_cursor)


@get("/training/recommendations/{recommendation_id:str}", guards=[requires(Permission.RECOMMENDATION_READ)])
async def read_recommendation(
    principal: Injected[Principal], recommendations: Injected[Recommendations], recommendation_id: str
) -> Recommendation:
    """Read one recommendation."""
    return await recommendations.get(recommendation_id, principal.scope())


def routes() -> Router:
    """Every public route of training."""
    handlers = [list_courses, read_course, offer_course, list_recommendations, read_recommendation]
    return Router("/api/v1", route_handlers=handlers, tags=["training"])
