"""Reads the demo country's workbook the way its tests ask about it."""

import re
from functools import cache
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from contracts.vocabulary import QuestionKind

WORKBOOK = Path(__file__).parents[2] / "deploy" / "demo" / "questionnaire.xlsx"
ENGLISH, ARABIC = "English (en)", "العربية (ar)"
ARABIC_LETTER = re.compile("[\u0621-\u064a]")

Row = dict[str, str]


def table(name: str) -> list[Row]:
    """The rows of a sheet by column heading; empty cells are empty text."""
    sheet = load_workbook(WORKBOOK)[name]
    assert isinstance(sheet, Worksheet)
    head, *body = sheet.iter_rows(values_only=True)
    return [
        {str(key): "" if value is None else str(value) for key, value in zip(head, row, strict=True)} for row in body
    ]


@cache
def survey() -> tuple[tuple[Row, tuple[str, ...]], ...]:
    """Each row with the names of the groups around it, outermost first."""
    rows: list[tuple[Row, tuple[str, ...]]] = []
    around: list[str] = []
    for row in table("survey"):
        if row["type"] == "end_group":
            assert around.pop() == row["name"]
        rows.append((row, tuple(around)))
        if row["type"] == "begin_group":
            around.append(row["name"])
    assert not around
    return tuple(rows)


def questions(kind: QuestionKind) -> list[Row]:
    return [row for row, _ in survey() if row["star_kind"] == kind]


def every_question() -> list[Row]:
    return [row for row, _ in survey() if row["star_kind"]]


def homes(kind: QuestionKind) -> dict[str, tuple[str, ...]]:
    """The groups around each question of a kind, outermost first."""
    return {row["name"]: around for row, around in survey() if row["star_kind"] == kind}


def unwritten(stem: str, rows: list[Row]) -> list[Row]:
    """The rows whose column is empty in English or holds no Arabic in Arabic."""
    assert rows
    return [row for row in rows if not (row[f"{stem}::{ENGLISH}"] and ARABIC_LETTER.search(row[f"{stem}::{ARABIC}"]))]
