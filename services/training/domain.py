"""Which courses help with which findings: no I/O, no clock."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import msgspec

from contracts.assessment import Texts, VisitFinalisedV1
from contracts.errors import Malformed
from contracts.training import CoursesRecommendedV1
from contracts.vocabulary import POINT_BY_CODE, Outcome

ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
LONGEST_TITLE: Final = 200

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class UnknownCompliancePoint(Malformed):
    """A course names a compliance point that the programme does not know."""

    code = "unknown_compliance_point"


class UnreadableText(Malformed):
    """A text is blank, too long, or not in a language that can be named."""

    code = "unreadable_text"


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """A course of the catalogue. ``hours`` is its length, ``audience`` who should come."""

    id: str
    titles: Texts
    audience: ShortText
    hours: Annotated[int, msgspec.Meta(ge=1, le=400)]
    place: ShortText
    min_participants: Annotated[int, msgspec.Meta(ge=1)] = 1
    max_participants: Annotated[int, msgspec.Meta(ge=1)] = 25
    compliance_points: tuple[str, ...]

    def check(self) -> None:
        """Refuse a course that no finding could ever lead to, or that nobody could attend."""
        unknown = sorted(set(self.compliance_points) - set(POINT_BY_CODE))
        if unknown or not self.compliance_points:
            raise UnknownCompliancePoint(f"Unknown compliance points: {', '.join(unknown) or 'none given'}.")
        if len(set(self.compliance_points)) < len(self.compliance_points):
            raise Malformed("A compliance point is named twice.")
        if self.min_participants > self.max_participants:
            raise Malformed("min_participants is above max_participants.")
        if not self.titles:
            raise Malformed("The course has no title.")

    def normal(self) -> "Course":
        """The course with its texts in NFC, so that equal words are equal; raises ``UnreadableText``."""
        if not all(_LANGUAGE.fullmatch(language) for language in self.titles):
            raise UnreadableText("A title's language is not a BCP 47 tag.")
        titles = {language: _shown_text(title) for language, title in self.titles.items()}
        place, audience = _shown_text(self.place), _shown_text(self.audience)
        return msgspec.structs.replace(self, titles=titles, place=place, audience=audience)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One recommended course: the findings it answers and the compliance points they belong to."""

    course_id: str
    findings: int
    compliance_points: tuple[str, ...]


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory is advised to book after a visit, most findings first."""

    id: str
    factory_id: str
    cycle: int
    visit_id: str
    recommended_at: datetime
    advice: tuple[Advice, ...]


def recommend(
    recommendation_id: str, visit: VisitFinalisedV1, courses: Iterable[Course], *, now: datetime
) -> tuple[Recommendation, CoursesRecommendedV1]:
    """Match a visit's findings with the catalogue; ties are broken by course id so that the result is stable."""
    findings = Counter(o.compliance_point for o in visit.outcomes if o.outcome is Outcome.NON_COMPLIANT)
    advice = [
        Advice(
            course_id=course.id,
            findings=sum(findings[point] for point in course.compliance_points),
            compliance_points=tuple(point for point in course.compliance_points if findings[point]),
        )
        for course in courses
        if any(findings[point] for point in course.compliance_points)
    ]
    advice.sort(key=lambda item: (-item.findings, item.course_id))
    recommendation = Recommendation(
        id=recommendation_id,
        factory_id=visit.factory_id,
        cycle=visit.cycle,
        visit_id=visit.visit_id,
        recommended_at=now,
        advice=tuple(advice),
    )
    event = CoursesRecommendedV1(
        recommendation_id=recommendation_id,
        factory_id=visit.factory_id,
        cycle=visit.cycle,
        visit_id=visit.visit_id,
        course_ids=tuple(item.course_id for item in advice),
    )
    return recommendation, event


def _shown_text(text: str) -> str:
    """One line of text in NFC; raises ``UnreadableText``."""
    normal = unicodedata.normalize("NFC", text).strip()
    if not normal or len(normal) > LONGEST_TITLE or _CONTROL.search(normal):
        raise UnreadableText(f"A text has 1 to {LONGEST_TITLE} characters and no control characters.")
    return normal
