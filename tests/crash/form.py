"""A questionnaire of six questions as an XLSForm workbook: small, so that a visit is soon done."""

import io
import random
from typing import Final

from openpyxl import Workbook

from deploy.demo.people import COUNTRY

LABEL: Final = "label::English (en)"
FINDING: Final = "star_finding::English (en)"
SURVEY: Final = (
    "type",
    "name",
    LABEL,
    "required",
    "star_kind",
    "star_answer_type",
    "star_polarity",
    "star_basis",
    "star_legal_reference",
    FINDING,
    "star_global_id",
    "star_not_applicable",
)
BAD_ANSWER: Final = {"exits_open": "no", "exits_locked": "yes", "alarm_works": "no", "labels_missing": "yes"}
"""The rated questions in their order, with the answer that is a finding."""

FACTS: Final = ("workers", "dormitory")
QUESTIONS: Final = (*FACTS, *BAD_ANSWER)


def workbook() -> bytes:
    """The workbook as an .xlsx file."""
    book = Workbook()
    book.remove(book.worksheets[0])
    survey = book.create_sheet("survey")
    survey.append(SURVEY)
    for row in _rows():
        survey.append([row.get(column, "") for column in SURVEY])
    choices = book.create_sheet("choices")
    for line in (("list_name", "name", LABEL), ("yes_no", "yes", "Yes"), ("yes_no", "no", "No")):
        choices.append(line)
    settings = book.create_sheet("settings")
    settings.append(("form_title", "form_id", "version", "default_language", "star_country", "star_industry"))
    settings.append(("Short assessment", "short", "1", "English (en)", COUNTRY, "C14"))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def an_answer(question_id: str, chance: random.Random) -> object:
    """A value that the question takes; two in five rated answers are findings."""
    if question_id == "workers":
        return chance.randint(1, 5_000)
    if question_id == "dormitory":
        return chance.choice(("yes", "no"))
    bad = BAD_ANSWER[question_id]
    good = "yes" if bad == "no" else "no"
    return bad if chance.random() < 0.4 else good


def _rows() -> list[dict[str, str]]:
    return [
        _group("supplier_information"),
        _fact("integer", "workers", "integer", required="yes"),
        _fact("select_one yes_no", "dormitory", "yes_no"),
        _end("supplier_information"),
        _group("osh"),
        _group("emergency_preparedness"),
        _rated("exits_open"),
        _rated("exits_locked"),
        _rated("alarm_works"),
        _end("emergency_preparedness"),
        _group("chemicals"),
        _rated("labels_missing"),
        _end("chemicals"),
        _end("osh"),
    ]


def _group(name: str) -> dict[str, str]:
    return {"type": "begin_group", "name": name, LABEL: name}


def _end(name: str) -> dict[str, str]:
    return {"type": "end_group", "name": name}


def _fact(row_type: str, name: str, answer_type: str, *, required: str = "") -> dict[str, str]:
    kind = {"star_kind": "fact", "star_answer_type": answer_type, "star_global_id": f"G-{name}"}
    return {"type": row_type, "name": name, LABEL: f"{name}?", "required": required, **kind}


def _rated(name: str) -> dict[str, str]:
    polarity = "no_is_non_compliant" if BAD_ANSWER[name] == "no" else "yes_is_non_compliant"
    return {
        "type": "select_one yes_no",
        "name": name,
        LABEL: f"{name}?",
        "required": "yes",
        "star_kind": "non_compliance",
        "star_answer_type": "yes_no",
        "star_polarity": polarity,
        "star_basis": "good_practice",
        FINDING: f"{name} is not as it should be.",
        "star_global_id": f"G-{name}",
    }
