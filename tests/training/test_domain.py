"""Which courses help with which findings."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Malformed
from contracts.training import CoursesRecommendedV1
from contracts.vocabulary import POINT_BY_CODE, Outcome
from services.training.domain import Course, UnknownCompliancePoint, UnreadableText, recommend
from services.training.store import programme_courses
from tests.support.visits import a_finalised_visit, an_outcome

NOW = datetime(2026, 2, 1, 8, tzinfo=UTC)
POINTS = st.sampled_from(sorted(POINT_BY_CODE))


def a_course(course_id: str = "course-1", *points: str, **others: object) -> Course:
    course = Course(
        id=course_id,
        titles={"en": "A course"},
        audience="workers",
        hours=4,
        place="factory",
        compliance_points=points or ("overtime",),
    )
    return msgspec.structs.replace(course, **others)


def advised(findings: dict[str, str], *courses: Course) -> list[tuple[str, int]]:
    recommendation, _ = recommend("r-1", a_finalised_visit(findings=findings), courses, now=NOW)
    return [(advice.course_id, advice.findings) for advice in recommendation.advice]


def test_a_course_is_advised_for_the_findings_it_answers_and_no_other() -> None:
    findings = {"q-1": "overtime", "q-2": "overtime", "q-3": "chemicals"}
    assert advised(findings, a_course("hours", "overtime", "leave"), a_course("unions", "strikes")) == [("hours", 2)]


def test_advice_names_the_compliance_points_that_led_to_it() -> None:
    visit = a_finalised_visit(findings={"q-1": "overtime"})
    recommendation, _ = recommend("r-1", visit, [a_course("hours", "leave", "overtime")], now=NOW)
    assert recommendation.advice[0].compliance_points == ("overtime",)


def test_the_course_that_answers_most_findings_comes_first_and_ties_keep_the_order_of_ids() -> None:
    findings = {"q-1": "overtime", "q-2": "chemicals", "q-3": "chemicals"}
    courses = [a_course("b", "overtime"), a_course("c", "chemicals"), a_course("a", "overtime")]
    assert advised(findings, *courses) == [("c", 2), ("a", 1), ("b", 1)]


@pytest.mark.parametrize("outcome", Outcome)
def test_only_non_compliance_leads_to_a_course(outcome: Outcome) -> None:
    visit = msgspec.structs.replace(a_finalised_visit(), outcomes=(an_outcome("q-1", outcome, "overtime"),))
    recommendation, event = recommend("r-1", visit, [a_course()], now=NOW)
    assert bool(recommendation.advice) is bool(event.course_ids) is (outcome is Outcome.NON_COMPLIANT)


def test_a_recommendation_says_the_same_as_its_event() -> None:
    recommendation, event = recommend("r-1", a_finalised_visit(cycle=3), [a_course()], now=NOW)
    assert (recommendation.factory_id, recommendation.visit_id, recommendation.cycle) == ("factory-1", "visit-1", 3)
    assert recommendation.recommended_at == NOW
    assert event == CoursesRecommendedV1(
        recommendation_id="r-1", factory_id="factory-1", cycle=3, visit_id="visit-1", course_ids=("course-1",)
    )


@given(st.lists(POINTS, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_catalogue_and_of_the_findings_changes_nothing(points: list[str], chance: object) -> None:
    catalogue = list(programme_courses())
    findings = {f"q-{n}": point for n, point in enumerate(points)}
    straight = advised(findings, *catalogue)
    chance.shuffle(catalogue)  # type: ignore[attr-defined]
    assert advised(dict(reversed(findings.items())), *catalogue) == straight


@given(st.dictionaries(st.text("abc", min_size=1), POINTS, max_size=20))
def test_every_finding_of_an_advised_course_is_counted_once(findings: dict[str, str]) -> None:
    by_id = {course.id: course for course in programme_courses()}
    for course_id, count in advised(findings, *by_id.values()):
        assert count == sum(point in by_id[course_id].compliance_points for point in findings.values()) > 0


def test_the_programme_has_a_course_for_every_compliance_point_it_can_train() -> None:
    for course in programme_courses():
        course.check()
        assert course.normal() == course
        assert {"en", "ar", "fr", "es"} <= set(course.titles)


@pytest.mark.parametrize("points", [(), ("bad_luck",), ("overtime", "bad_luck")])
def test_a_course_that_no_finding_leads_to_is_refused(points: tuple[str, ...]) -> None:
    with pytest.raises(UnknownCompliancePoint):
        a_course(compliance_points=points).check()


def test_a_course_names_a_compliance_point_once() -> None:
    with pytest.raises(Malformed, match="twice"):
        a_course("course-1", "overtime", "overtime").check()


def test_a_course_that_nobody_could_attend_is_refused() -> None:
    with pytest.raises(Malformed, match="above"):
        a_course(min_participants=3, max_participants=2).check()
    a_course(min_participants=2, max_participants=2).check()


def test_a_course_without_a_title_is_refused() -> None:
    with pytest.raises(Malformed, match="no title"):
        a_course(titles={}).check()


@pytest.mark.parametrize("language", ["", "e", "en.GB", "$where", "en_GB", "en-", "englishes", "a\0", "en\n"])
def test_a_title_is_in_a_language_that_can_be_named(language: str) -> None:
    with pytest.raises(UnreadableText):
        a_course(titles={language: "A course"}).normal()


@pytest.mark.parametrize("language", ["en", "fil", "zh-Hant-TW", "es-419"])
def test_language_tags_have_subtags(language: str) -> None:
    assert a_course(titles={language: "A course"}).normal().titles == {language: "A course"}


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\0b", "x" * 201])
def test_a_text_that_no_line_can_show_is_refused(text: str) -> None:
    for course in (a_course(titles={"en": text}), a_course(audience=text), a_course(place=text)):
        with pytest.raises(UnreadableText):
            course.normal()


def test_texts_are_kept_in_one_normal_form() -> None:
    course = a_course(titles={"fr": " Re\u0301union "}, audience="Vie\u0323\u0302t", place="cafe\u0301").normal()
    assert (course.titles, course.audience, course.place) == ({"fr": "Réunion"}, "Việt", "café")
