"""What the tests of assessment are made of: a small form, the demo workbook, callers, factories and result rows."""

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from contracts.access import FactoryRegisteredV1
from contracts.identity import Role
from services.assessment.domain.questionnaire import Questionnaire, Workbook, draft
from services.assessment.domain.results import COLUMNS
from services.assessment.domain.visit import Advisor, Plan, Sex, Visit, scheduled
from services.assessment.domain.xlsform import form_of
from tests.support.services import Running, a_principal

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "questionnaire.xlsx"
TITLE = "Compliance assessment: Jordan, garment industry"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
START = date(2026, 3, 1)

ADMIN = a_principal(Role.ADMINISTRATOR, subject="admin")
LEADER = a_principal(Role.TEAM_LEADER, subject="leader")
AMAL = a_principal(Role.ADVISOR, subject="amal")
BASEL = a_principal(Role.ADVISOR, subject="basel")
STRANGER = a_principal(Role.ADVISOR, subject="stranger")
FACTORY = a_principal(Role.FACTORY, subject="manager", party_id="f1")
BUYER = a_principal(Role.BUYER, subject="buyer", party_id="b1")
PAIR = (Advisor(id="amal", sex=Sex.FEMALE), Advisor(id="basel", sex=Sex.MALE))

HEADER = (
    "type",
    "name",
    "label::English (en)",
    "label::Français (fr)",
    "relevant",
    "constraint",
    "required",
    "star_kind",
    "star_answer_type",
    "star_polarity",
    "star_basis",
    "star_legal_reference",
    "star_legal_reference_fr",
    "star_finding::English (en)",
    "star_finding::Français (fr)",
    "star_global_id",
    "star_not_applicable",
    "star_currency",
)
SETTINGS_HEADER = (
    "form_title",
    "star_title_fr",
    "form_id",
    "version",
    "default_language",
    "star_country",
    "star_industry",
)

Row = dict[str, str]


def a_row(row_type: str, name: str, **cells: str) -> Row:
    """A survey row with a label in both languages; ``cells`` are the other columns."""
    labels = {"label::English (en)": f"{name}?", "label::Français (fr)": f"{name} ?"}
    return {"type": row_type, "name": name, **(labels if row_type != "end_group" else {}), **cells}


def a_fact(row_type: str, name: str, answer_type: str, **cells: str) -> Row:
    """A survey row of a fact."""
    return a_row(row_type, name, star_kind="fact", star_answer_type=answer_type, star_global_id=f"G-{name}", **cells)


def a_rated(name: str, polarity: str = "no_is_non_compliant", **cells: str) -> Row:
    """A survey row of a rated question."""
    is_optional = cells.get("star_not_applicable") == "yes"
    return a_row(
        "select_one yes_no_na" if is_optional else "select_one yes_no",
        name,
        **{
            "star_kind": "non_compliance",
            "star_answer_type": "yes_no",
            "star_polarity": polarity,
            "star_basis": "good_practice",
            "star_finding::English (en)": f"{name} is not as it should be.",
            "star_finding::Français (fr)": f"{name} n'est pas conforme.",
            "star_global_id": f"G-{name}",
            **cells,
        },
    )


def the_survey() -> list[Row]:
    """A form with a question of every type."""
    return [
        a_row("begin_group", "supplier_information"),
        a_fact("integer", "workers", "integer", required="yes", constraint=". >= 0 and . <= 100000"),
        a_fact("select_one yes_no", "dormitory", "yes_no"),
        a_fact("decimal", "hours", "decimal"),
        a_fact("decimal", "union_share", "percent"),
        a_fact("decimal", "lowest_wage", "money", star_currency="JOD", constraint=". >= 0"),
        a_fact("date", "opened_on", "date", constraint=". <= today()"),
        a_fact("text", "products", "text", star_not_applicable="yes"),
        a_fact("select_one sizes", "size", "choice"),
        a_fact("select_multiple processes", "steps", "choices"),
        a_fact("begin_group", "apprentices", "by_sex"),
        a_row("integer", "apprentices_women"),
        a_row("integer", "apprentices_men"),
        a_row("end_group", "apprentices"),
        a_row("end_group", "supplier_information"),
        a_row("begin_group", "osh"),
        a_row("begin_group", "worker_accommodation"),
        a_rated("beds", star_not_applicable="yes", relevant="${dormitory} = 'yes'"),
        a_rated("crowded", "yes_is_non_compliant", star_not_applicable="yes", relevant="${workers} > 0"),
        a_row("end_group", "worker_accommodation"),
        a_row("begin_group", "emergency_preparedness"),
        a_rated("exits_open"),
        a_rated("exits_locked", "yes_is_non_compliant"),
        a_row("end_group", "emergency_preparedness"),
        a_row("end_group", "osh"),
    ]


def the_choices() -> list[tuple[str, ...]]:
    lists = {
        "yes_no": ("yes", "no"),
        "yes_no_na": ("yes", "no", "na"),
        "sizes": ("small", "large"),
        "processes": ("cutting", "sewing", "washing"),
    }
    rows = ((name, choice, choice.title(), choice.title()) for name, choices in lists.items() for choice in choices)
    return [("list_name", "name", "label::English (en)", "label::Français (fr)"), *rows]


def sheets(
    survey: Sequence[Row] | None = None, *, version: str = "1", title: str = "Garment CAT", **settings: str
) -> dict[str, list[tuple[str, ...]]]:
    """A workbook's sheets as plain rows."""
    values = {
        "form_title": title,
        "star_title_fr": "Outil",
        "form_id": "cat",
        "version": version,
        "default_language": "English (en)",
        "star_country": "JO",
        "star_industry": "C14",
        **settings,
    }
    rows = the_survey() if survey is None else survey
    return {
        "survey": [HEADER, *(tuple(row.get(column, "") for column in HEADER) for row in rows)],
        "choices": the_choices(),
        "settings": [SETTINGS_HEADER, tuple(values[column] for column in SETTINGS_HEADER)],
    }


def workbook(content: dict[str, list[tuple[str, ...]]]) -> bytes:
    """The sheets as an .xlsx file."""
    from openpyxl import Workbook as Book  # noqa: PLC0415

    book = Book()
    book.remove(book.worksheets[0])
    for name, rows in content.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def a_questionnaire(questionnaire_id: str = "q1") -> Questionnaire:
    """A published questionnaire with a question of every type."""
    kept = Workbook(key="questionnaires/q1/x.xlsx", sha256="0" * 64, size=1)
    new = draft(questionnaire_id, form_of(sheets(), country="JO"), kept, by="admin", now=NOW)
    return new.publish(by="admin", now=NOW)[0]


def a_plan(**changes: object) -> Plan:
    """A full visit by a woman and a man."""
    wish: dict[str, object] = {
        "factory_id": "f1",
        "time_zone": "Asia/Amman",
        "cycle": 1,
        "questionnaire_id": "q1",
        "starts_on": START,
        "advisors": PAIR,
    }
    return Plan(**{**wish, **changes})  # type: ignore[arg-type]


def a_visit(**changes: object) -> Visit:
    """A scheduled visit."""
    return scheduled("v1", a_plan(**changes), by="leader", now=NOW)


def registered(number: int = 1, **changes: str) -> FactoryRegisteredV1:
    """The registration of factory ``f<number>`` with the original id ``OLD-<number>``."""
    facts = {
        "factory_id": f"f{number}",
        "original_id": f"OLD-{number}",
        "name": f"Factory {number}",
        "country": "JO",
        "industry": "C14",
        "time_zone": "Asia/Amman",
        **changes,
    }
    return FactoryRegisteredV1(**facts)


async def with_factories(running: Running, count: int = 1) -> None:
    """Let the service hear of factories."""
    for number in range(1, count + 1):
        await running.deliver(registered(number), subject=f"f{number}", source="JO/access")


async def with_questionnaire(running: Running, content: bytes | None = None, own_id: str = "q1") -> None:
    """Upload and publish a questionnaire."""
    body = workbook(sheets()) if content is None else content
    uploaded = await running.post(f"/api/v1/questionnaires?id={own_id}", ADMIN, content=body)
    assert uploaded.status_code == 201, uploaded.text
    published = await running.post(f"/api/v1/questionnaires/{own_id}/publication", ADMIN)
    assert published.status_code == 200, published.text


def the_wish(**changes: object) -> dict[str, object]:
    """The body that schedules a visit."""
    return {
        "id": "v1",
        "factory_id": "f1",
        "cycle": 1,
        "questionnaire_id": "q1",
        "starts_on": "2026-03-01",
        "advisors": [{"id": "amal", "sex": "female"}, {"id": "basel", "sex": "male"}],
        **changes,
    }


async def with_visit(running: Running, **changes: object) -> None:
    """A known factory, a published questionnaire and a scheduled visit."""
    await with_factories(running)
    await with_questionnaire(running)
    answer = await running.post("/api/v1/visits", LEADER, the_wish(**changes))
    assert answer.status_code == 201, answer.text


def csv_of(rows: Sequence[Sequence[str]]) -> bytes:
    """Rows as a piece of CSV."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


async def begin(running: Running, content: bytes, header: Sequence[str] = COLUMNS) -> str:
    """Begin to import the file; returns the import's id."""
    body = {"file_sha256": hashlib.sha256(content).hexdigest(), "header": list(header)}
    answer = await running.post("/api/v1/imports", ADMIN, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
