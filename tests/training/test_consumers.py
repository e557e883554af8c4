"""What training does with finalised visits: advice, once per visit."""

from pathlib import Path

from contracts.identity import Role
from contracts.training import CoursesRecommendedV1
from services.runtime.bus import Ack
from services.training.app import make_service
from tests.support.services import Running, a_principal, running_service
from tests.support.visits import a_finalised_visit

LIST = "/api/v1/training/recommendations"
ADVISOR = a_principal(Role.ADVISOR)
ADMINISTRATOR = a_principal(Role.ADMINISTRATOR)
COURSE = {
    "id": "country-course",
    "titles": {"en": "Overtime in our law"},
    "audience": "planners",
    "hours": 3,
    "place": "classroom",
    "compliance_points": ["overtime"],
}


async def test_a_finalised_visit_leads_to_advice_and_says_so(training: Running) -> None:
    assert await training.deliver(a_finalised_visit(findings={"q-1": "chemicals"}), subject="visit-1") == Ack()
    (told,) = await training.until_announced(CoursesRecommendedV1)
    assert (told.visit_id, told.factory_id, told.course_ids) == ("visit-1", "factory-1", ("chemical-safety",))
    (item,) = (await training.get(LIST, ADVISOR)).json()["items"]
    assert (item["id"], [advice["course_id"] for advice in item["advice"]]) == (
        told.recommendation_id,
        ["chemical-safety"],
    )


async def test_a_visit_that_is_delivered_twice_leads_to_one_recommendation(training: Running) -> None:
    for _ in range(2):
        assert await training.deliver(a_finalised_visit(), subject="visit-1") == Ack()
    await training.deliver(a_finalised_visit("visit-2"), subject="visit-2")
    told = await training.until_announced(CoursesRecommendedV1, 2)
    assert sorted(event.visit_id for event in told) == ["visit-1", "visit-2"]
    assert len((await training.get(LIST, ADVISOR)).json()["items"]) == 2


async def test_a_repetition_brings_no_new_advice_although_the_catalogue_has_grown(training: Running) -> None:
    await training.deliver(a_finalised_visit(), subject="visit-1")
    before = (await training.get(LIST, ADVISOR)).json()
    assert (await training.post("/api/v1/training/courses", ADMINISTRATOR, COURSE)).status_code == 201
    assert await training.deliver(a_finalised_visit(), subject="visit-1") == Ack()
    assert (await training.get(LIST, ADVISOR)).json() == before


async def test_the_courses_of_a_country_are_advised_like_those_of_the_programme(training: Running) -> None:
    await training.post("/api/v1/training/courses", ADMINISTRATOR, COURSE)
    await training.deliver(a_finalised_visit(findings={"q-1": "overtime"}), subject="visit-1")
    (told,) = await training.until_announced(CoursesRecommendedV1)
    assert {"country-course", "wages-and-hours", "supervisory-skills"} == set(told.course_ids)


async def test_a_visit_without_findings_is_told_too_so_that_nobody_waits(training: Running) -> None:
    await training.deliver(a_finalised_visit(findings={}), subject="visit-1")
    (told,) = await training.until_announced(CoursesRecommendedV1)
    assert told.course_ids == ()


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    async with running_service(make_service, tmp_path) as running:
        await running.post("/api/v1/training/courses", ADMINISTRATOR, COURSE)
        await running.deliver(a_finalised_visit(), subject="visit-1")
        before = (await running.get(LIST, ADVISOR)).json()
        assert len(before["items"]) == 1
    async with running_service(make_service, tmp_path) as running:
        assert await running.deliver(a_finalised_visit(), subject="visit-1") == Ack()
        assert (await running.get(LIST, ADVISOR)).json() == before
        assert (await running.get("/api/v1/training/courses/country-course", ADVISOR)).status_code == 200
