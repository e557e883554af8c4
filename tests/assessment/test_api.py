"""The routes of questionnaires, visits and evidence: who may, what is answered, what is refused."""

import io
import zipfile

import pytest

from contracts.assessment import QuestionnairePublishedV1, VisitFinalisedV1
from contracts.identity import Principal
from services.runtime.bus import Ack
from tests.assessment.samples import (
    ADMIN,
    AMAL,
    BASEL,
    BUYER,
    DEMO,
    FACTORY,
    LEADER,
    STRANGER,
    a_rated,
    a_row,
    registered,
    sheets,
    the_wish,
    with_factories,
    with_questionnaire,
    with_visit,
    workbook,
)
from tests.support.services import Running, signed

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100
ROUTES = [
    ("POST", "/api/v1/questionnaires"),
    ("GET", "/api/v1/questionnaires"),
    ("GET", "/api/v1/questionnaires/q1"),
    ("GET", "/api/v1/questionnaires/q1/file"),
    ("POST", "/api/v1/questionnaires/q1/publication"),
    ("POST", "/api/v1/questionnaires/q1/retirement"),
    ("POST", "/api/v1/visits"),
    ("GET", "/api/v1/visits"),
    ("GET", "/api/v1/visits/v1"),
    ("GET", "/api/v1/visits/v1/findings"),
    ("PUT", "/api/v1/visits/v1/answers"),
    ("POST", "/api/v1/visits/v1/evidence"),
    ("GET", "/api/v1/visits/v1/evidence/e1"),
    ("POST", "/api/v1/visits/v1/submission"),
    ("POST", "/api/v1/visits/v1/return"),
    ("POST", "/api/v1/visits/v1/cancellation"),
    ("POST", "/api/v1/visits/v1/finalisation"),
    ("POST", "/api/v1/imports"),
    ("POST", "/api/v1/imports/i1/rows?first_line=2"),
    ("POST", "/api/v1/imports/i1/completion"),
    ("GET", "/api/v1/imports/i1"),
    ("GET", "/api/v1/results"),
]


async def record(running: Running, caller: Principal, **values: object) -> int:
    answers = [{"question_id": key, "value": value} for key, value in values.items()]
    answer = await running.http.put("/api/v1/visits/v1/answers", headers=signed(caller), json={"answers": answers})
    return answer.status_code


async def with_submitted_visit(running: Running) -> None:
    await with_visit(running)
    assert await record(running, AMAL, workers=12, exits_open="no", products="shirts") == 200
    assert await record(running, BASEL, exits_open="yes", dormitory="no") == 200
    for advisor in (AMAL, BASEL):
        assert (await running.post("/api/v1/visits/v1/submission", advisor)).status_code == 200


class TestCallers:
    @pytest.mark.parametrize(("method", "path"), ROUTES)
    async def test_nobody_is_answered_without_a_token(self, running: Running, method: str, path: str) -> None:
        answer = await running.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    @pytest.mark.parametrize("caller", [FACTORY, BUYER])
    @pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "questionnaires" not in route[1]])
    async def test_factories_and_buyers_see_no_visit(
        self, running: Running, caller: Principal, method: str, path: str
    ) -> None:
        answer = await running.http.request(method, path, headers=signed(caller))
        is_single = path.count("/") > 3
        assert answer.status_code == (404 if is_single else 403)

    async def test_an_unknown_visit_is_not_found(self, running: Running) -> None:
        assert (await running.get("/api/v1/visits/nowhere", LEADER)).status_code == 404


class TestQuestionnaires:
    async def test_the_demo_questionnaire_is_uploaded_and_published(self, running: Running) -> None:
        await with_questionnaire(running, DEMO.read_bytes())
        (event,) = await running.until_announced(QuestionnairePublishedV1)
        assert (event.questionnaire_id, event.country, event.languages) == ("q1", "JO", ("en", "ar"))
        assert sum(question.compliance_point is not None for question in event.questions) == 200

    async def test_the_workbook_comes_back_as_it_was_uploaded(self, running: Running) -> None:
        await with_questionnaire(running, DEMO.read_bytes())
        answer = await running.get("/api/v1/questionnaires/q1/file", FACTORY)
        assert answer.content == DEMO.read_bytes()
        assert answer.headers["x-content-type-options"] == "nosniff"

    async def test_questions_are_read_with_their_texts_in_all_languages(self, running: Running) -> None:
        await with_questionnaire(running)
        body = (await running.get("/api/v1/questionnaires/q1", FACTORY)).json()
        assert body["form"]["questions"][0]["texts"] == {"en": "workers?", "fr": "workers ?"}

    async def test_a_draft_is_seen_by_the_programme_only(self, running: Running) -> None:
        await running.post("/api/v1/questionnaires?id=q1", ADMIN, content=workbook(sheets()))
        assert (await running.get("/api/v1/questionnaires/q1", ADMIN)).status_code == 200
        assert (await running.get("/api/v1/questionnaires/q1", FACTORY)).status_code == 404
        assert (await running.get("/api/v1/questionnaires", FACTORY)).json()["items"] == []

    async def test_the_same_upload_again_is_the_same_draft(self, running: Running) -> None:
        content = workbook(sheets())
        first = await running.post("/api/v1/questionnaires?id=q1", ADMIN, content=content)
        second = await running.post("/api/v1/questionnaires?id=q1", ADMIN, content=content)
        assert (second.status_code, second.json()) == (201, first.json())

    async def test_another_workbook_under_the_same_id_is_a_conflict(self, running: Running) -> None:
        await running.post("/api/v1/questionnaires?id=q1", ADMIN, content=workbook(sheets()))
        other = await running.post("/api/v1/questionnaires?id=q1", ADMIN, content=workbook(sheets(version="2")))
        assert other.status_code == 409

    async def test_a_version_is_published_once(self, running: Running) -> None:
        await with_questionnaire(running)
        await running.post("/api/v1/questionnaires?id=q2", ADMIN, content=workbook(sheets(title="Other")))
        answer = await running.post("/api/v1/questionnaires/q2/publication", ADMIN)
        assert (answer.status_code, answer.json()["code"]) == (409, "version_already_published")

    async def test_publishing_again_announces_nothing_new(self, running: Running) -> None:
        await with_questionnaire(running)
        await running.until_announced(QuestionnairePublishedV1)
        assert (await running.post("/api/v1/questionnaires/q1/publication", ADMIN)).status_code == 200
        assert len(running.announced(QuestionnairePublishedV1)) == 1

    async def test_every_fault_of_a_workbook_is_told(self, running: Running) -> None:
        survey = [
            a_row("begin_group", "osh"),
            a_rated("x", star_polarity=""),
            a_row("begin_group", "kindness"),
            a_row("end_group", ""),
            a_row("end_group", ""),
        ]
        answer = await running.post("/api/v1/questionnaires", ADMIN, content=workbook(sheets(survey)))
        assert (answer.status_code, answer.json()["code"]) == (400, "workbook_faulty")
        assert len(answer.json()["detail"].splitlines()) == 3

    @pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken", workbook(sheets())[:2000]])
    async def test_what_is_no_workbook_is_refused(self, running: Running, content: bytes) -> None:
        answer = await running.post("/api/v1/questionnaires", ADMIN, content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "workbook_faulty")

    async def test_a_workbook_that_unpacks_to_too_much_is_refused(self, running: Running) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("xl/worksheets/sheet1.xml", b"0" * (60 * 1024 * 1024))
        answer = await running.post("/api/v1/questionnaires", ADMIN, content=buffer.getvalue())
        assert "unpacks" in answer.json()["detail"]

    async def test_a_workbook_with_entities_is_refused(self, running: Running) -> None:
        buffer = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(workbook(sheets()))) as good,
            zipfile.ZipFile(buffer, "w") as packed,
        ):
            for name in good.namelist():
                mark = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' if name == "xl/workbook.xml" else b""
                packed.writestr(name, mark + good.read(name))
        answer = await running.post("/api/v1/questionnaires", ADMIN, content=buffer.getvalue())
        assert "entities" in answer.json()["detail"]

    async def test_a_workbook_beyond_the_limit_is_too_large(self, running: Running) -> None:
        answer = await running.post("/api/v1/questionnaires", ADMIN, content=b"0" * (5 * 1024 * 1024 + 1))
        assert answer.status_code == 413


class TestVisits:
    async def test_a_visit_is_scheduled_and_listed(self, running: Running) -> None:
        await with_visit(running)
        listed = (await running.get("/api/v1/visits?factory_id=f1&stage=scheduled", AMAL)).json()
        assert [each["id"] for each in listed["items"]] == ["v1"]

    async def test_the_same_wish_again_is_the_same_visit(self, running: Running) -> None:
        await with_visit(running)
        assert (await running.post("/api/v1/visits", LEADER, the_wish())).status_code == 201

    async def test_another_wish_under_the_same_id_is_a_conflict(self, running: Running) -> None:
        await with_visit(running)
        answer = await running.post("/api/v1/visits", LEADER, the_wish(days=3))
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")

    async def test_a_place_is_taken_until_the_visit_is_cancelled(self, running: Running) -> None:
        await with_visit(running)
        second = the_wish(id="v2")
        answer = await running.post("/api/v1/visits", LEADER, second)
        assert (answer.status_code, answer.json()["code"]) == (409, "visit_already_scheduled")
        assert (await running.post("/api/v1/visits/v1/cancellation", LEADER, {"reason": "flood"})).status_code == 200
        assert (await running.post("/api/v1/visits", LEADER, second)).status_code == 201

    async def test_an_unknown_factory_is_not_found(self, running: Running) -> None:
        await with_questionnaire(running)
        assert (await running.post("/api/v1/visits", LEADER, the_wish(factory_id="f9"))).status_code == 404

    async def test_a_draft_serves_no_visit(self, running: Running) -> None:
        await with_factories(running)
        await running.post("/api/v1/questionnaires?id=q1", ADMIN, content=workbook(sheets()))
        answer = await running.post("/api/v1/visits", LEADER, the_wish())
        assert answer.json()["code"] == "questionnaire_not_published"

    @pytest.mark.parametrize(
        "wish",
        [{"cycle": 0}, {"starts_on": "soon"}, {"id": "../x"}, {"advisors": [{"id": "a", "sex": "x"}]}, {"days": 99}],
    )
    async def test_a_malformed_wish_is_refused(self, running: Running, wish: dict[str, object]) -> None:
        assert (await running.post("/api/v1/visits", LEADER, the_wish(**wish))).status_code == 400

    async def test_a_visit_goes_from_answers_to_its_announced_outcomes(self, running: Running) -> None:
        await with_submitted_visit(running)
        answer = await running.post("/api/v1/visits/v1/finalisation", LEADER)
        assert answer.json()["stage"] == "finalised"
        (event,) = await running.until_announced(VisitFinalisedV1)
        outcomes = {each.question_id: each.outcome.value for each in event.outcomes}
        assert outcomes == {
            "beds": "not_applicable",
            "crowded": "not_assessed",
            "exits_open": "compliant",
            "exits_locked": "not_assessed",
        }
        assert [fact.question_id for fact in event.facts] == ["workers", "dormitory"]

    async def test_finalising_again_announces_nothing_new(self, running: Running) -> None:
        await with_submitted_visit(running)
        await running.post("/api/v1/visits/v1/finalisation", LEADER)
        await running.until_announced(VisitFinalisedV1)
        assert (await running.post("/api/v1/visits/v1/finalisation", LEADER)).status_code == 200
        assert len(running.announced(VisitFinalisedV1)) == 1

    async def test_the_team_leader_sees_the_conflict_and_returns_the_visit(self, running: Running) -> None:
        await with_submitted_visit(running)
        assert (await running.get("/api/v1/visits/v1", LEADER)).json()["conflicts"] == ["exits_open"]
        answer = await running.post("/api/v1/visits/v1/return", LEADER, {"reason": "exits?"})
        assert answer.json()["stage"] == "returned"
        assert await record(running, AMAL, exits_open="yes") == 200
        assert (await running.get("/api/v1/visits/v1", LEADER)).json()["conflicts"] == []

    async def test_an_advisor_cannot_finalise(self, running: Running) -> None:
        await with_submitted_visit(running)
        assert (await running.post("/api/v1/visits/v1/finalisation", AMAL)).status_code == 404

    async def test_a_finalised_visit_takes_no_answers(self, running: Running) -> None:
        await with_submitted_visit(running)
        await running.post("/api/v1/visits/v1/finalisation", LEADER)
        assert await record(running, AMAL, workers=13) == 409

    async def test_an_advisor_of_another_visit_does_not_answer(self, running: Running) -> None:
        await with_visit(running)
        assert await record(running, STRANGER, workers=1) == 403

    async def test_notes_are_for_the_team(self, running: Running) -> None:
        await with_visit(running)
        body = {"answers": [{"question_id": "hours", "value": "1", "note": "told in confidence"}]}
        await running.http.put("/api/v1/visits/v1/answers", headers=signed(AMAL), json=body)
        for reader, is_team in ((AMAL, True), (BASEL, True), (LEADER, True), (ADMIN, False), (STRANGER, False)):
            text = (await running.get("/api/v1/visits/v1", reader)).text
            assert ("told in confidence" in text) is is_team

    async def test_findings_are_read_with_their_statements(self, running: Running) -> None:
        await with_visit(running)
        await record(running, AMAL, exits_locked="yes")
        found = (await running.get("/api/v1/visits/v1/findings", LEADER)).json()["items"]
        assert [each["question_id"] for each in found] == ["exits_locked"]

    async def test_an_older_answer_is_told_to_be_superseded(self, running: Running) -> None:
        await with_visit(running)
        await record(running, AMAL, workers=5)
        old = {"question_id": "workers", "value": 4, "answered_at": "2020-01-01T00:00:00Z"}
        answer = await running.http.put("/api/v1/visits/v1/answers", headers=signed(AMAL), json={"answers": [old]})
        assert answer.json()["superseded"] == ["workers"]


class TestFactories:
    async def test_a_card_is_kept_once_however_often_its_event_comes(self, running: Running) -> None:
        for _ in range(2):
            verdict = await running.deliver(registered(), subject="f1", source="JO/access")
            assert verdict == Ack()
        await with_questionnaire(running)
        assert (await running.post("/api/v1/visits", LEADER, the_wish())).status_code == 201
