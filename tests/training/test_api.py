"""The course catalogue and the recommendations as people and programs reach them."""

import unicodedata
from typing import Any

import httpx
import pytest

from contracts.errors import Problem
from contracts.identifiers import derived_id
from contracts.identity import Principal, Role
from contracts.vocabulary import ReportKind
from services.training.store import programme_courses
from tests.support.services import Running, a_principal, signed
from tests.support.visits import a_finalised_visit

COURSES = "/api/v1/training/courses"
LIST = "/api/v1/training/recommendations"
RECOMMENDATION = f"{LIST}/{derived_id('recommendation', 'visit-1')}"
ADVISOR = a_principal(Role.ADVISOR)
ADMINISTRATOR = a_principal(Role.ADMINISTRATOR)
FACTORY = a_principal(Role.FACTORY, party_id="factory-1")
OTHER_FACTORY = a_principal(Role.FACTORY, party_id="factory-2")
SHARES = {kind: frozenset({"factory-1"}) for kind in ReportKind}
BUYER = a_principal(Role.BUYER, party_id="buyer-1", shares=SHARES)
ANALYST = a_principal(Role.ANALYST)
NOBODY = a_principal()
ROUTES = [("GET", COURSES), ("POST", COURSES), ("GET", f"{COURSES}/first-aid"), ("GET", LIST), ("GET", RECOMMENDATION)]


def a_course(**others: object) -> dict[str, Any]:
    course: dict[str, Any] = {
        "id": "country-course",
        "titles": {"en": "Overtime in our law"},
        "audience": "planners",
        "hours": 3,
        "place": "classroom",
        "compliance_points": ["overtime"],
    }
    return {**course, **others}


def body_of(answer: httpx.Response, status: int) -> Problem:
    """The problem that the answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return Problem(**answer.json())


@pytest.fixture
async def advice(training: Running) -> Running:
    """Training with the recommendation of one visit."""
    await training.deliver(a_finalised_visit(), subject="visit-1")
    return training


@pytest.mark.parametrize(("method", "url"), ROUTES)
async def test_nobody_is_served_without_an_identity(training: Running, method: str, url: str) -> None:
    for headers in ({}, {"authorization": "Bearer not.a.token"}):
        assert body_of(await training.http.request(method, url, headers=headers), 401).code == "not_authenticated"


async def test_everybody_with_a_role_reads_the_catalogue(training: Running) -> None:
    for caller in (ADVISOR, ADMINISTRATOR, FACTORY, BUYER, ANALYST):
        page = (await training.get(COURSES, caller)).json()
        assert [course["id"] for course in page["items"]] == [course.id for course in programme_courses()]
        assert page["next_cursor"] is None
        assert (await training.get(f"{COURSES}/first-aid", caller)).json()["hours"] == 8


async def test_a_role_without_the_permission_is_told_so_at_a_collection(training: Running) -> None:
    assert body_of(await training.get(COURSES, NOBODY), 403).code == "not_permitted"
    for caller in (BUYER, ANALYST, NOBODY):
        assert body_of(await training.get(LIST, caller), 403).code == "not_permitted"
    for caller in (ADVISOR, FACTORY, BUYER, ANALYST, NOBODY):
        assert body_of(await training.post(COURSES, caller, a_course()), 403).code == "not_permitted"


async def test_a_course_is_offered_and_found(training: Running) -> None:
    answer = await training.post(COURSES, ADMINISTRATOR, a_course())
    assert answer.status_code == 201
    offered = answer.json()
    assert (await training.get(f"{COURSES}/country-course", FACTORY)).json() == offered
    assert (await training.get(COURSES, FACTORY)).json()["items"][-1] == offered


async def test_a_course_without_an_id_gets_one(training: Running) -> None:
    body = a_course()
    del body["id"]
    first, second = [(await training.post(COURSES, ADMINISTRATOR, body)).json()["id"] for _ in range(2)]
    assert first != second
    assert (await training.get(f"{COURSES}/{first}", ANALYST)).status_code == 200


async def test_offering_the_same_course_again_is_one_course(training: Running) -> None:
    answers = [await training.post(COURSES, ADMINISTRATOR, a_course()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    ids = [course["id"] for course in (await training.get(COURSES, ANALYST)).json()["items"]]
    assert ids.count("country-course") == 1


async def test_an_id_is_never_given_to_a_second_course(training: Running) -> None:
    await training.post(COURSES, ADMINISTRATOR, a_course())
    for body in (a_course(hours=4), a_course(id="first-aid")):
        assert body_of(await training.post(COURSES, ADMINISTRATOR, body), 409).code == "conflict"
    assert (await training.get(f"{COURSES}/country-course", ANALYST)).json()["hours"] == 3
    assert (await training.get(f"{COURSES}/first-aid", ANALYST)).json()["hours"] == 8


async def test_a_catalogue_of_hundreds_is_listed_whole(training: Running) -> None:
    offered = [f"course-{n:03}" for n in range(203)]
    for course_id in offered:
        await training.post(COURSES, ADMINISTRATOR, a_course(id=course_id))
    listed = [course["id"] for course in (await training.get(COURSES, ANALYST)).json()["items"]]
    assert listed == [course.id for course in programme_courses()] + offered


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"compliance_points": []}, "unknown_compliance_point"),
        ({"compliance_points": ["bad_luck"]}, "unknown_compliance_point"),
        ({"compliance_points": ["overtime", "overtime"]}, "malformed"),
        ({"min_participants": 26}, "malformed"),
        ({"titles": {}}, "malformed"),
        ({"titles": {"en": " "}}, "unreadable_text"),
        ({"titles": {"en.GB": "A course"}}, "unreadable_text"),
        ({"titles": {"$where": "A course"}}, "unreadable_text"),
        ({"titles": {"en": "x" * 201}}, "unreadable_text"),
        ({"place": "a\0b"}, "unreadable_text"),
        ({"audience": ""}, "malformed"),
        ({"place": "x" * 201}, "malformed"),
        ({"hours": 0}, "malformed"),
        ({"hours": 2**70}, "malformed"),
        ({"max_participants": 10_001}, "malformed"),
        ({"titles": ["A course"]}, "malformed"),
        ({"id": "a/b"}, "malformed"),
        ({"id": "first-aid\n"}, "malformed"),
        ({"id": ""}, "malformed"),
        ({"id": "a b"}, "malformed"),
        ({"id": "x" * 65}, "malformed"),
    ],
    ids=str,
)
async def test_a_course_that_makes_no_sense_is_refused(training: Running, others: dict[str, object], code: str) -> None:
    problem = body_of(await training.post(COURSES, ADMINISTRATOR, a_course(**others)), 400)
    assert problem.code == code
    assert problem.detail
    assert len((await training.get(COURSES, ANALYST)).json()["items"]) == len(programme_courses())


async def test_texts_are_kept_in_one_normal_form(training: Running) -> None:
    typed = unicodedata.normalize("NFD", "Réunion à Việt Nam")
    body = a_course(titles={"fr": typed}, audience=typed, place=typed)
    course = (await training.post(COURSES, ADMINISTRATOR, body)).json()
    assert {course["titles"]["fr"], course["audience"], course["place"]} == {"Réunion à Việt Nam"}


async def test_staff_and_the_factory_itself_read_the_advice(advice: Running) -> None:
    for caller in (ADVISOR, ADMINISTRATOR, a_principal(Role.TEAM_LEADER), FACTORY):
        assert (await advice.get(RECOMMENDATION, caller)).json()["visit_id"] == "visit-1"
        for query in ("", "?factory_id=factory-1"):
            assert len((await advice.get(f"{LIST}{query}", caller)).json()["items"]) == 1


@pytest.mark.parametrize("caller", [OTHER_FACTORY, a_principal(Role.FACTORY), BUYER, ANALYST, NOBODY])
async def test_to_a_stranger_advice_is_like_what_does_not_exist(advice: Running, caller: Principal) -> None:
    present, absent = await advice.get(RECOMMENDATION, caller), await advice.get(f"{LIST}/no-such", caller)
    assert body_of(present, 404).code == body_of(absent, 404).code == "not_found"


@pytest.mark.parametrize("caller", [OTHER_FACTORY, a_principal(Role.FACTORY)], ids=["other", "partyless"])
async def test_the_list_never_shows_what_a_read_refuses(advice: Running, caller: Principal) -> None:
    for query in ("", "?factory_id=factory-1"):
        assert (await advice.get(f"{LIST}{query}", caller)).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("odd", ["%00", "a%2Fb", "a%20b", "%F0%9F%98%80", "$where", "x" * 3000, "%FF"])
async def test_an_odd_id_names_nothing(training: Running, odd: str) -> None:
    for url in (f"{LIST}/{odd}", f"{COURSES}/{odd}"):
        body_of(await training.http.get(url, headers=signed(ADVISOR)), 404)
    assert (await training.get(f"{LIST}?factory_id={odd}", ADVISOR)).json()["items"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=many", "cursor=none-of-ours", "cursor=%00"])
async def test_a_page_that_cannot_be_given_is_refused(training: Running, query: str) -> None:
    assert body_of(await training.get(f"{LIST}?{query}", ADVISOR), 400).code


async def test_walking_the_pages_shows_all_advice_once_newest_first(training: Running) -> None:
    visits = [f"visit-{n}" for n in range(7)]
    for visit in visits:
        await training.deliver(a_finalised_visit(visit), subject=visit)
    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await training.get(LIST, FACTORY, params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
        assert len(page["items"]) <= 3
        walked += [item["visit_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert walked == visits[::-1]
