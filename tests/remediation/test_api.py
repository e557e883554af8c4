"""The improvement plans as people and programs reach them."""

import unicodedata

import httpx
import pytest

from contracts.errors import Problem
from contracts.events import Event
from contracts.identity import Principal, Role
from contracts.remediation import LineReportedV1, LineStatus, LineVerifiedV1
from contracts.vocabulary import ReportKind
from services.remediation.usecases import plan_id_of
from tests.support.eventually import eventually
from tests.support.plans import ADVISOR, FACTORY, LINE, OTHER_FACTORY, PLAN, URL, a_buyer, a_release
from tests.support.services import Running, a_principal, signed
from tests.support.visits import a_finalised_visit

PLANS = "/api/v1/plans"
VERIFICATION = f"{LINE}/verification"
ANALYST = a_principal(Role.ANALYST)
NOBODY = a_principal()
PARTYLESS = a_principal(Role.FACTORY)
ROUTES = [("GET", PLANS), ("GET", URL), ("PATCH", LINE), ("POST", VERIFICATION)]
STRANGERS = [OTHER_FACTORY, PARTYLESS, ANALYST, NOBODY, a_buyer("factory-2")]
ADVISOR_OF_OTHER_FACTORY = a_principal(Role.ADVISOR, Role.FACTORY, party_id="factory-2")


def body_of(answer: httpx.Response, status: int) -> Problem:
    """The problem that the answer must be."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    return Problem(**answer.json())


async def items(remediation: Running, caller: Principal, query: str = "") -> list[str]:
    answer = await remediation.get(f"{PLANS}{query}", caller)
    assert answer.status_code == 200
    return [plan["id"] for plan in answer.json()["items"]]


async def report(remediation: Running, body: object, caller: Principal = FACTORY, url: str = LINE) -> httpx.Response:
    return await remediation.http.patch(url, headers=signed(caller), json=body)


@pytest.fixture
async def plans(remediation: Running) -> Running:
    """Remediation with the plan of one visit."""
    await remediation.deliver(a_finalised_visit(), subject="visit-1")
    return remediation


@pytest.mark.parametrize(("method", "url"), ROUTES)
async def test_nobody_is_served_without_an_identity(plans: Running, method: str, url: str) -> None:
    for headers in ({}, {"authorization": "Bearer not.a.token"}):
        answer = await plans.http.request(method, url, headers=headers)
        assert body_of(answer, 401).code == "not_authenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("caller", [ANALYST, NOBODY], ids=["analyst", "nobody"])
async def test_a_role_without_plans_is_told_so_at_the_list(plans: Running, caller: Principal) -> None:
    assert body_of(await plans.get(PLANS, caller), 403).code == "not_permitted"


@pytest.mark.parametrize("caller", STRANGERS)
async def test_to_a_stranger_a_plan_is_like_one_that_does_not_exist(plans: Running, caller: Principal) -> None:
    present, absent = await plans.get(URL, caller), await plans.get(f"{PLANS}/no-such-plan", caller)
    assert body_of(present, 404).code == body_of(absent, 404).code == "not_found"


async def test_the_list_never_shows_what_a_read_refuses(plans: Running) -> None:
    for caller in (OTHER_FACTORY, PARTYLESS, a_buyer("factory-2"), a_buyer("factory-1"), a_buyer()):
        assert await items(plans, caller) == []
        assert await items(plans, caller, "?factory_id=factory-1") == []
        body_of(await plans.get(URL, caller), 404)


async def test_staff_and_the_factory_itself_read_the_plan_before_the_release(plans: Running) -> None:
    for caller in (ADVISOR, a_principal(Role.TEAM_LEADER), a_principal(Role.ADMINISTRATOR), FACTORY):
        answer = await plans.get(URL, caller)
        assert answer.status_code == 200
        assert [line["id"] for line in answer.json()["lines"]] == ["q-1", "q-2"]
        assert await items(plans, caller) == [PLAN]


async def test_a_buyer_reads_a_shared_plan_only_once_the_report_is_released(plans: Running) -> None:
    buyer = a_buyer("factory-1")
    assert body_of(await plans.get(URL, buyer), 404).code == "not_found"
    await plans.deliver(a_release(), subject="report-1")
    assert (await plans.get(URL, buyer)).status_code == 200
    assert await items(plans, buyer) == await items(plans, buyer, "?factory_id=factory-1") == [PLAN]


async def test_a_share_of_another_kind_shows_no_plan(plans: Running) -> None:
    await plans.deliver(a_release(), subject="report-1")
    buyer = a_buyer("factory-1", kind=ReportKind.ASSESSMENT)
    body_of(await plans.get(URL, buyer), 404)
    assert await items(plans, buyer) == []


async def test_a_plan_says_whose_it_is_so_that_the_gateway_can_check_once_more(plans: Running) -> None:
    headers = (await plans.get(URL, ADVISOR)).headers
    assert (headers["star-factory"], headers["star-kind"]) == ("factory-1", "improvement_plan,progress")


async def test_a_factory_reports_progress(plans: Running) -> None:
    stated = {"status": "in_progress", "action": "Ask first", "responsible": "Hala", "root_cause": "policy"}
    answer = await report(plans, {**stated, "due_on": "2026-06-01"})
    assert answer.status_code == 200
    line, untouched = (await plans.get(URL, FACTORY)).json()["lines"]
    assert (line["reported"], line["action"], line["responsible"]) == ("in_progress", "Ask first", "Hala")
    assert (line["root_cause"], line["due_on"], line["verified"]) == ("policy", "2026-06-01", None)
    assert untouched["reported"] == "pending"
    (told,) = await plans.until_announced(LineReportedV1)
    assert (told.line_id, told.status) == ("q-1", LineStatus.IN_PROGRESS)


async def test_a_report_that_is_repeated_announces_nothing_new(plans: Running) -> None:
    for _ in range(2):
        assert (await report(plans, {"status": "in_progress"})).status_code == 200
    assert (await report(plans, {"status": "completed"})).status_code == 200
    # The relay may publish a message twice, under one id, when a write crosses its way.
    ids = await eventually(lambda: _ids_of(plans, LineReportedV1, at_least=2), saying="two reports announced")
    assert len(ids) == 2
    assert {event.status for event in plans.announced(LineReportedV1)} == {LineStatus.IN_PROGRESS, LineStatus.COMPLETED}


def _ids_of(running: Running, event: type[Event], *, at_least: int) -> set[str]:
    ids = {message.id for message in running.bus.messages if message.type == event.type}
    return ids if len(ids) >= at_least else set()


async def test_a_move_that_the_rules_refuse_changes_nothing(plans: Running) -> None:
    await report(plans, {"status": "completed"})
    answer = await report(plans, {"status": "pending", "action": "Forget it"})
    assert body_of(answer, 409).code == "line_cannot_move"
    line = (await plans.get(URL, FACTORY)).json()["lines"][0]
    assert (line["reported"], line["action"]) == ("completed", "")


@pytest.mark.parametrize("caller", [*STRANGERS, ADVISOR, ADVISOR_OF_OTHER_FACTORY, a_buyer("factory-1")])
async def test_only_the_factory_itself_reports(plans: Running, caller: Principal) -> None:
    await plans.deliver(a_release(), subject="report-1")
    body_of(await report(plans, {"status": "completed"}, caller), 404)
    assert (await plans.get(URL, FACTORY)).json()["lines"][0]["reported"] == "pending"


async def test_an_advisor_verifies_and_both_words_stand_side_by_side(plans: Running) -> None:
    await report(plans, {"status": "completed"})
    answer = await plans.post(VERIFICATION, ADVISOR, {"status": "in_progress", "note": "Two of five are left"})
    assert answer.status_code == 200
    line = (await plans.get(URL, FACTORY)).json()["lines"][0]
    assert (line["reported"], line["verified"]) == ("completed", "in_progress")
    assert (line["verified_by"], line["verification_note"]) == ("amal", "Two of five are left")
    (told,) = await plans.until_announced(LineVerifiedV1)
    assert (told.line_id, told.status) == ("q-1", LineStatus.IN_PROGRESS)


async def test_what_the_factory_has_not_completed_is_not_verified_as_completed(plans: Running) -> None:
    answer = await plans.post(VERIFICATION, ADVISOR, {"status": "completed"})
    assert body_of(answer, 409).code == "line_not_reported_completed"


@pytest.mark.parametrize("caller", [*STRANGERS, FACTORY, a_principal(Role.ADMINISTRATOR)])
async def test_only_an_advisor_or_team_leader_verifies(plans: Running, caller: Principal) -> None:
    body_of(await plans.post(VERIFICATION, caller, {"status": "in_progress"}), 404)
    assert (await plans.get(URL, ADVISOR)).json()["lines"][0]["verified"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"status": "done"},
        {"status": 1},
        {"root_cause": "bad luck"},
        {"due_on": "tomorrow"},
        {"due_on": "2026-02-30"},
        {"action": "x" * 4001},
        {"responsible": "x" * 201},
        {"action": "a\u0000b"},
        {"responsible": "a\u001bb"},
        ["completed"],
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_report_that_cannot_be_understood_is_refused_with_a_reason(plans: Running, body: object) -> None:
    assert body_of(await report(plans, body), 400).detail
    assert (await plans.get(URL, FACTORY)).json()["lines"][0]["reported"] == "pending"


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"action": "\\ud800"}', b'{"action": "\xff"}'])
async def test_a_body_that_is_no_json_is_refused(plans: Running, content: bytes) -> None:
    headers = {**signed(FACTORY), "content-type": "application/json"}
    body_of(await plans.http.patch(LINE, headers=headers, content=content), 400)


@pytest.mark.parametrize(
    "body", [{}, {"status": "done"}, {"status": "in_progress", "note": "x" * 2001}, {"status": "pending", "note": "\0"}]
)
async def test_a_verification_that_cannot_be_understood_is_refused(plans: Running, body: object) -> None:
    assert body_of(await plans.post(VERIFICATION, ADVISOR, body), 400).detail


async def test_free_text_is_kept_in_one_normal_form(plans: Running) -> None:
    typed = unicodedata.normalize("NFD", "Réunion à Việt Nam")
    await report(plans, {"action": typed, "responsible": typed})
    await plans.post(VERIFICATION, ADVISOR, {"status": "pending", "note": typed})
    line = (await plans.get(URL, FACTORY)).json()["lines"][0]
    assert {line["action"], line["responsible"], line["verification_note"]} == {"Réunion à Việt Nam"}


@pytest.mark.parametrize("odd", ["%00", "..", "a%2Fb", "a%20b", "%F0%9F%98%80", "$where", "x" * 3000, "%FF"])
async def test_an_odd_id_names_nothing(plans: Running, odd: str) -> None:
    for url in (f"{PLANS}/{odd}/", f"{PLANS}/{odd}/lines/q-1", f"{URL}/lines/{odd}"):
        answer = await plans.http.request("PATCH" if "lines" in url else "GET", url, headers=signed(FACTORY), json={})
        assert answer.status_code in {404, 405}, answer.text
    assert await items(plans, ADVISOR, f"?factory_id={odd}") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=many", "cursor=none-of-ours", "cursor=%00"])
async def test_a_page_that_cannot_be_given_is_refused(plans: Running, query: str) -> None:
    assert body_of(await plans.get(f"{PLANS}?{query}", ADVISOR), 400).code


async def test_walking_the_pages_shows_every_plan_once_newest_first(remediation: Running) -> None:
    visits = [f"visit-{n}" for n in range(7)]
    for visit in visits:
        await remediation.deliver(a_finalised_visit(visit), subject=visit)
    await remediation.deliver(a_finalised_visit("other", factory_id="factory-2"), subject="other")
    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 3, "factory_id": "factory-1", **({"cursor": cursor} if cursor else {})}
        page = (await remediation.get(PLANS, ADVISOR, params=query)).json()
        assert len(page["items"]) <= 3
        walked += [plan["id"] for plan in page["items"]]
        cursor = page["next_cursor"]
    assert walked == [plan_id_of(visit) for visit in reversed(visits)]
