"""The routes of evidence: photographs and documents of a visit."""

import hashlib

from tests.assessment.samples import (
    AMAL,
    BASEL,
    LEADER,
    STRANGER,
    with_visit,
)
from tests.support.services import Running, signed

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 100


class TestEvidence:
    async def test_a_photo_is_stored_listed_and_streamed_back(self, running: Running) -> None:
        await with_visit(running)
        path = "/api/v1/visits/v1/evidence"
        added = await running.post(f"{path}?question_id=exits_open", AMAL, content=PNG)
        assert added.status_code == 201
        assert added.json()["content_type"] == "image/png"
        assert added.json()["sha256"] == hashlib.sha256(PNG).hexdigest()
        found = await running.get(f"{path}/{added.json()['id']}", LEADER)
        assert (found.content, found.headers["content-type"]) == (PNG, "image/png")
        assert found.headers["x-content-type-options"] == "nosniff"

    async def test_the_same_bytes_are_one_evidence(self, running: Running) -> None:
        await with_visit(running)
        first = await running.post("/api/v1/visits/v1/evidence", AMAL, content=PNG)
        second = await running.post("/api/v1/visits/v1/evidence", BASEL, content=PNG)
        assert second.json() == first.json()
        assert [key async for key in running.service.ports.files.list("visits/")] == [f"visits/v1/{first.json()['id']}"]

    async def test_other_types_are_refused_whatever_they_are_called(self, running: Running) -> None:
        await with_visit(running)
        answer = await running.http.post(
            "/api/v1/visits/v1/evidence",
            headers={**signed(AMAL), "content-type": "image/png"},
            content=b"<script>alert(1)</script>",
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_file_type")

    async def test_more_than_15_mb_are_too_large(self, running: Running) -> None:
        await with_visit(running)
        answer = await running.post("/api/v1/visits/v1/evidence", AMAL, content=PNG + b"0" * (15 * 1024 * 1024))
        assert answer.status_code == 413

    async def test_only_the_assigned_advisors_add_evidence(self, running: Running) -> None:
        await with_visit(running)
        assert (await running.post("/api/v1/visits/v1/evidence", STRANGER, content=PNG)).status_code == 403

    async def test_an_answer_points_to_evidence_of_its_visit_only(self, running: Running) -> None:
        await with_visit(running)
        added = (await running.post("/api/v1/visits/v1/evidence", AMAL, content=PNG)).json()["id"]
        for evidence_id, status in ((added, 200), ("elsewhere", 400)):
            body = {"answers": [{"question_id": "hours", "value": "1", "evidence": [evidence_id]}]}
            answer = await running.http.put("/api/v1/visits/v1/answers", headers=signed(AMAL), json=body)
            assert answer.status_code == status

    async def test_evidence_of_another_visit_is_not_found(self, running: Running) -> None:
        await with_visit(running)
        assert (await running.get("/api/v1/visits/v1/evidence/e1", LEADER)).status_code == 404
