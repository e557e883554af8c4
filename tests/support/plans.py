"""Improvement plans that follow from a visit: the events around one, and who reads them."""

from contracts.identity import Principal, Role
from contracts.reporting import ReportReleasedV1
from contracts.training import CoursesRecommendedV1
from contracts.vocabulary import ReportKind
from services.remediation.usecases import plan_id_of
from tests.support.services import a_principal

PLAN = plan_id_of("visit-1")
URL = f"/api/v1/plans/{PLAN}"
LINE = f"{URL}/lines/q-1"
ADVISOR = a_principal(Role.ADVISOR, subject="amal")
FACTORY = a_principal(Role.FACTORY, party_id="factory-1")
OTHER_FACTORY = a_principal(Role.FACTORY, party_id="factory-2")


def a_buyer(*factories: str, kind: ReportKind = ReportKind.IMPROVEMENT_PLAN) -> Principal:
    """A buyer with whom these factories share this kind of document."""
    return a_principal(Role.BUYER, party_id="buyer-1", shares={kind: frozenset(factories)})


def a_release(visit_id: str = "visit-1", *, released_on: str = "2026-02-01") -> ReportReleasedV1:
    """The report of a visit is released."""
    return ReportReleasedV1(
        report_id=f"report-{visit_id}",
        factory_id="factory-1",
        kind=ReportKind.ASSESSMENT,
        cycle=1,
        visit_id=visit_id,
        released_on=released_on,
    )


def a_recommendation(visit_id: str = "visit-1", *courses: str) -> CoursesRecommendedV1:
    """Courses are recommended after a visit."""
    return CoursesRecommendedV1(
        recommendation_id=f"recommendation-{visit_id}",
        factory_id="factory-1",
        cycle=1,
        visit_id=visit_id,
        course_ids=courses,
    )
