"""The whole path, and the same request sent again at every step of it."""

from typing import Any

import pytest

from deploy.client import Client
from deploy.demo.path import WORKBOOK, WORKBOOK_TYPE, photograph, walk_the_path
from deploy.demo.people import TIME_ZONE
from tests.journeys.country import FINDINGS, Country, new_id, today

pytestmark = pytest.mark.timeout(180)


async def test_everybody_walks_the_whole_path(country: Country) -> None:
    admin: Client = country.person("admin")
    steps = await walk_the_path(admin, lambda _: None)
    assert steps[-1].step == "list after the revocation"
    assert all(step.trace_id for step in steps)


async def the_same_twice(country: Country, user: str, path: str, body: dict[str, Any]) -> tuple[Any, Any]:
    first = await country.do(user, "POST", path, body)
    again = await country.do(user, "POST", path, body)
    return first.json, again.json


async def test_a_registration_that_is_sent_twice_registers_once(country: Country) -> None:
    factory = {"id": new_id(), "name": "Twice Garments", "industry": "C14", "time_zone": TIME_ZONE}
    buyer = {"id": new_id(), "name": "Twice Fashion"}
    for path, body in (("/factories", factory), ("/buyers", buyer)):
        first, again = await the_same_twice(country, "admin", path, body)
        assert first == again
        other = await country.person("admin").call("POST", path, {**body, "name": "Another name"})
        assert (other.status, other.json["code"]) == (409, "conflict")


async def test_a_visit_that_is_scheduled_twice_is_one_visit(country: Country) -> None:
    factory = await country.factory()
    visit_id = new_id()
    for _ in range(2):
        assert await country.scheduled_visit(factory, id=visit_id) == visit_id
    assert await country.ids("leader", f"/visits?factory_id={factory.id}") == {visit_id}


async def test_evidence_that_is_sent_twice_is_kept_once(country: Country) -> None:
    visit_id = await country.scheduled_visit(await country.factory())
    path, photo = f"/visits/{visit_id}/evidence", {"data": photograph(), "headers": {"content-type": "image/png"}}
    first = (await country.do("advisor-1", "POST", path, **photo)).json
    again = (await country.do("advisor-1", "POST", path, **photo)).json
    assert first == again
    assert len((await country.do("advisor-1", "GET", f"/visits/{visit_id}")).json["evidence"]) == 1


async def test_a_visit_that_is_finalised_twice_has_one_report_and_one_plan(country: Country) -> None:
    case = await country.a_released_case()
    await country.do("leader", "POST", f"/visits/{case.visit_id}/finalisation")
    await country.do("leader", "POST", f"/reports/{case.report_id}/release")
    query = f"?factory_id={case.factory.id}"
    assert await country.ids("leader", f"/reports{query}") == {case.report_id}
    assert await country.ids("leader", f"/plans{query}") == {case.plan_id}


async def test_a_grant_that_is_given_twice_is_one_grant(country: Country) -> None:
    factory, buyer = await country.factory(), await country.buyer()
    body = {"id": new_id(), "factory_id": factory.id, "buyer_id": buyer.id, "purpose": "Annual review"}
    first, again = await the_same_twice(country, factory.user, "/grants", body)
    assert first == again
    assert await country.ids(factory, "/grants") == {body["id"]}
    other = await country.person(factory).call("POST", "/grants", {**body, "purpose": "Something else"})
    assert other.status == 409


async def test_a_questionnaire_that_is_uploaded_and_published_twice_stays_as_it_was(country: Country) -> None:
    await country.form()
    before = country.world.questionnaire
    questionnaire_id = before["id"]
    upload = {"data": WORKBOOK.read_bytes(), "headers": {"content-type": WORKBOOK_TYPE}}
    await country.do("admin", "POST", f"/questionnaires?id={questionnaire_id}", **upload)
    await country.do("admin", "POST", f"/questionnaires/{questionnaire_id}/publication")
    assert (await country.do("admin", "GET", f"/questionnaires/{questionnaire_id}")).json == before


async def test_the_factory_reports_progress_and_the_advisor_verifies_it_beside(country: Country) -> None:
    case = await country.a_released_case()
    line = f"/plans/{case.plan_id}/lines/{FINDINGS[0]}"
    for status in ("in_progress", "completed"):
        progress = {"status": status, "action": "Doors are checked daily", "due_on": today().isoformat()}
        await country.do(case.factory, "PATCH", line, progress)
    await country.do("advisor-1", "POST", f"{line}/verification", {"status": "in_progress", "note": "One is locked"})
    plan = (await country.do(case.factory, "GET", f"/plans/{case.plan_id}")).json
    seen = next(each for each in plan["lines"] if each["id"] == FINDINGS[0])
    assert (seen["reported"], seen["verified"]) == ("completed", "in_progress")
