"""The whole path, as its people walk it: from a questionnaire to a report that a factory shares and takes back."""

import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.identifiers import derived_id
from deploy.client import Client
from deploy.demo.people import COUNTRY, buyer_id, factory_id
from deploy.demo.register import buyers, factories, partnerships
from deploy.demo.steps import Step, StepFailed, Walk

WORKBOOK = Path(__file__).parent / "questionnaire.xlsx"
WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
QUESTIONNAIRE_ID = derived_id("demo", COUNTRY, "questionnaire")
EVERY_NTH_FINDING = 9


async def walk_the_path(client: Client, tell: Callable[[Step], None], *, cycle: int = 1) -> list[Step]:
    """Walk every step through the gateway; raises ``StepFailed`` at the first that is not as it must be."""
    walk = Walk(client, tell)
    form = await _prepare(walk)
    visit_id = await _assess(walk, form, cycle)
    report_id = await _follow_up(walk, visit_id)
    await _share(walk, report_id)
    return walk.steps


async def _prepare(walk: Walk) -> Any:
    """The administrator publishes the questionnaire and registers a factory and two buyers."""
    path = f"/questionnaires?id={QUESTIONNAIRE_ID}"
    workbook = WORKBOOK.read_bytes(), WORKBOOK_TYPE
    await walk.step("upload questionnaire", "admin", "POST", path, upload=workbook, expect=201)
    publication = f"/questionnaires/{QUESTIONNAIRE_ID}/publication"
    await walk.step("publish questionnaire", "admin", "POST", publication)
    form = await walk.step("read questionnaire", "advisor-1", "GET", f"/questionnaires/{QUESTIONNAIRE_ID}")
    await walk.step("register factory", "admin", "POST", "/factories", factories()[0], expect=201)
    for number, buyer in enumerate(buyers()[:2], start=1):
        await walk.step(f"register buyer {number}", "admin", "POST", "/buyers", buyer, expect=201)
        partner = partnerships()[number - 1]
        await walk.step(f"make buyer {number} a partner", "admin", "POST", "/entitlements", partner, expect=201)
    return form.json


async def _assess(walk: Walk, questionnaire: Any, cycle: int) -> str:
    """Two advisors answer and sign, one adds a photograph, the team leader checks and finalises."""
    visit_id = derived_id("demo", COUNTRY, "visit", str(cycle))
    visit = {
        "id": visit_id,
        "factory_id": factory_id(1),
        "cycle": cycle,
        "questionnaire_id": QUESTIONNAIRE_ID,
        "starts_on": (datetime.now(UTC) - timedelta(days=2)).date().isoformat(),
        "advisors": [{"id": "advisor-1", "sex": "female"}, {"id": "advisor-2", "sex": "male"}],
    }
    await walk.step("schedule visit", "leader", "POST", "/visits", visit, expect=201, until=lambda _: True)
    path = f"/visits/{visit_id}"
    photo = f"{path}/evidence?question_id=emergency_preparedness_01"
    evidence = await walk.step(
        "upload evidence photo", "advisor-1", "POST", photo, upload=(photograph(), "image/png"), expect=201
    )
    answers = [_answer(question, n) for n, question in enumerate(questionnaire["form"]["questions"])]
    answers = [answer for answer in answers if answer]
    for answer in answers:
        if answer["question_id"] == "emergency_preparedness_01":
            answer["evidence"] = [evidence.json["id"]]
    half = len(answers) // 2
    first, second = {"answers": answers[:half]}, {"answers": answers[half:]}
    await walk.step("answer the first half", "advisor-1", "PUT", f"{path}/answers", first)
    await walk.step("answer the second half", "advisor-2", "PUT", f"{path}/answers", second)
    for advisor in ("advisor-1", "advisor-2"):
        await walk.step("sign the visit", advisor, "POST", f"{path}/submission")
    await walk.step("check and finalise", "leader", "POST", f"{path}/finalisation")
    findings = await walk.step("read the findings", "leader", "GET", f"{path}/findings")
    if not findings.json["items"]:
        raise StepFailed("The visit has no findings.")
    return visit_id


async def _follow_up(walk: Walk, visit_id: str) -> str:
    """The plan opens, training is recommended and the report is frozen by themselves; the leader releases it."""
    factory = f"?factory_id={factory_id(1)}"
    of_this_visit: Callable[[Any], bool] = lambda page: any(i["visit_id"] == visit_id for i in page["items"])  # noqa: E731
    await walk.step("see the improvement plan", "factory-1", "GET", f"/plans{factory}", until=of_this_visit)
    path = f"/training/recommendations{factory}"
    await walk.step("see the recommended training", "factory-1", "GET", path, until=of_this_visit)
    reports = await walk.step("find the frozen report", "leader", "GET", f"/reports{factory}", until=of_this_visit)
    report_id: str = next(item["id"] for item in reports.json["items"] if item["visit_id"] == visit_id)
    await walk.step("look for the unreleased report", "buyer-1", "GET", f"/reports/{report_id}", expect=404)
    await walk.step("release the report", "leader", "POST", f"/reports/{report_id}/release")
    return report_id


async def _share(walk: Walk, report_id: str) -> None:
    """A buyer sees nothing, then what the factory approved, then nothing again."""
    factory = f"?factory_id={factory_id(1)}"
    one, file = f"/reports/{report_id}", f"/reports/{report_id}/file"
    holds: Callable[[Any], bool] = lambda page: any(item["id"] == report_id for item in page["items"])  # noqa: E731
    await walk.step("look before the grant", "buyer-1", "GET", one, expect=404)
    await _expect_empty(walk, "list before the grant", factory)
    grant_id = derived_id("demo", COUNTRY, "grant", report_id)
    grant = {"id": grant_id, "factory_id": factory_id(1), "buyer_id": buyer_id(1), "purpose": "Annual review"}
    await walk.step("grant the buyer", "factory-1", "POST", "/grants", grant, expect=201)
    await walk.step("list the shared report", "buyer-1", "GET", f"/reports{factory}", until=holds)
    await walk.step("read the shared report", "buyer-1", "GET", one)
    pdf = await walk.step("download the PDF", "buyer-1", "GET", file)
    if not pdf.body.startswith(b"%PDF-"):
        raise StepFailed("The file is not a PDF.")
    await walk.step("look as a stranger", "buyer-2", "GET", one, expect=404)
    await walk.step("revoke the grant", "factory-1", "DELETE", f"/grants/{grant_id}", expect=204)
    await walk.step("read after the revocation", "buyer-1", "GET", one, expect=404)
    await walk.step("download after the revocation", "buyer-1", "GET", file, expect=404)
    await _expect_empty(walk, "list after the revocation", factory)


async def _expect_empty(walk: Walk, name: str, query: str) -> None:
    answer = await walk.step(name, "buyer-1", "GET", f"/reports{query}")
    if answer.json["items"]:
        raise StepFailed(f"{name}: a report is listed that the factory does not share.")


def _answer(question: Any, position: int) -> dict[str, Any]:
    """A plausible answer; every ninth rated question is answered the bad way."""
    value = plausible(question, "Committee notes displayed on every floor.", is_bad=position % EVERY_NTH_FINDING == 0)
    return {"question_id": question["id"], "answered_at": datetime.now(UTC).isoformat(), "value": value}


def plausible(question: Any, text: str, *, is_bad: bool) -> object:
    """A value of the question's type; ``is_bad`` decides a rated question, ``text`` fills a free one."""
    if polarity := question.get("polarity"):
        return "yes" if (polarity == "yes_is_non_compliant") == is_bad else "no"
    choices = [choice["name"] for choice in question.get("choices", ())] or [""]
    values: dict[str, object] = {
        "yes_no": "yes",
        "integer": 12,
        "decimal": "4.5",
        "percent": "62.5",
        "money": "290.00",
        "date": "2015-04-01",
        "choice": choices[0],
        "choices": choices[:1],
        "by_sex": {"women": 640, "men": 210},
        "text": text,
    }
    return values[question["answer_type"]]


def photograph() -> bytes:
    """A small picture that every viewer opens: a 32 x 32 PNG in one colour."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    rows = b"".join(b"\x00" + b"\x2f\x6f\x8f" * 32 for _ in range(32))
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
