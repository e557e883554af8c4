"""Courses and recommendations as documents; every read takes a ``Scope``."""

import tomllib
from pathlib import Path

import msgspec

from contracts.errors import Conflict, NotFound
from contracts.identity import Scope
from contracts.training import CoursesRecommendedV1
from services.runtime.aggregates import Aggregates, Found
from services.runtime.bus import Delivery
from services.runtime.documents import Documents, Index
from services.runtime.relay import Relay
from services.training.domain import Course, Recommendation

CATALOGUE = Path(__file__).parent / "catalogue.toml"


def programme_courses() -> tuple[Course, ...]:
    """The courses that every country starts with (``catalogue.toml``); a country offers more of its own."""
    rows = tomllib.loads(CATALOGUE.read_text("utf-8"))["course"]
    return tuple(msgspec.convert(row, Course) for row in rows)


class Courses:
    """The course catalogue: the programme's courses and those a country added. Everybody may read it."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        self._courses = Aggregates(documents.collection("courses"), Course, source=source, relay=relay)
        self._programme = {course.id: course for course in programme_courses()}

    async def get(self, course_id: str, _: Scope) -> Course:
        """Read one course; raises ``NotFound``."""
        if course_id in self._programme:
            return self._programme[course_id]
        return (await self._courses.get(course_id)).state

    async def all(self, _: Scope) -> list[Course]:
        """Every course, the programme's first; a catalogue has dozens, not thousands."""
        courses = list(self._programme.values())
        cursor: str | None = None
        while True:
            page = await self._courses.find(sort=[("state.id", 1)], limit=200, after=cursor)
            courses += page.items
            cursor = page.next_cursor
            if cursor is None:
                return courses

    async def add(self, course: Course) -> None:
        """Store a new course; raises ``Conflict`` when its id is taken by another one."""
        if course.id in self._programme:
            raise Conflict("The id belongs to a course of the programme.")
        await self._courses.create(course.id, course)


class Recommendations:
    """What was recommended to factories."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (Index(("state.factory_id", "state.recommended_at")), Index(("state.recommended_at",)))
        collection = documents.collection("recommendations", indexes)
        self._recommendations = Aggregates(collection, Recommendation, source=source, relay=relay)

    async def get(self, recommendation_id: str, scope: Scope) -> Recommendation:
        """Read one; raises ``NotFound`` for what is absent or out of scope."""
        found = (await self._recommendations.get(recommendation_id)).state
        if not scope.covers(found.factory_id):
            raise NotFound("There is no such recommendation.")
        return found

    async def find(
        self, scope: Scope, *, factory_id: str | None, limit: int, after: str | None
    ) -> Found[Recommendation]:
        """Read one page of what is in scope, newest first."""
        where: dict[str, object] = {}
        if factory_id is not None:
            if not scope.covers(factory_id):
                return Found([], None)
            where["state.factory_id"] = factory_id
        elif scope.factories is not None:
            where["state.factory_id"] = {"$in": sorted(scope.factories)}
        return await self._recommendations.find(where, sort=[("state.recommended_at", -1)], limit=limit, after=after)

    async def add(self, recommendation: Recommendation, event: CoursesRecommendedV1, cause: Delivery) -> None:
        """Store a new recommendation with its event; a visit leads to one only."""
        await self._recommendations.create(recommendation.id, recommendation, (event,), cause=cause)
