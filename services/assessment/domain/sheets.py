"""A workbook's sheets as plain rows, and the faults found in them: all at once, each with its place and reason."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from contracts.assessment import Texts
from contracts.errors import Malformed

Row = Sequence[object]
Sheets = Mapping[str, Sequence[Row]]
"""The values of each sheet's cells, by sheet name, header first."""

MOST_FAULTS: Final = 200
"""How many faults an answer lists; more would help nobody."""

_LANGUAGE_COLUMN: Final = re.compile(r"label::(.+) \(([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\)")


class WorkbookFaulty(Malformed):
    """The workbook cannot become a questionnaire; the message lists every fault with sheet, row and reason."""

    code = "workbook_faulty"


class Language(msgspec.Struct, frozen=True):
    """A language of the form: ``label`` as the columns write it (``English (en)``) and its BCP 47 ``tag``."""

    label: str
    tag: str


class Faults:
    """Collects what is wrong, so that one upload tells everything."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, sheet: str, row: int, reason: str) -> None:
        """Note a fault; ``row`` counts from 1 as the spreadsheet shows it."""
        self._found.append(f"{sheet} row {row}: {reason}")

    def raise_if_any(self) -> None:
        """Raise ``WorkbookFaulty`` with everything that was noted."""
        if self._found:
            shown = self._found[:MOST_FAULTS]
            more = len(self._found) - len(shown)
            raise WorkbookFaulty("\n".join([*shown, *([f"and {more} more faults"] if more else [])]))


class Line:
    """One row of a sheet: its cells by column name, as stripped text in NFC."""

    def __init__(self, sheet: str, number: int, cells: dict[str, str], faults: Faults) -> None:
        self.number = number
        self._sheet = sheet
        self._cells = cells
        self._faults = faults

    def __getitem__(self, column: str) -> str:
        return self._cells.get(column, "")

    def fault(self, reason: str) -> None:
        """Note a fault of this row."""
        self._faults.add(self._sheet, self.number, reason)

    def one_of(self, column: str, allowed: Sequence[str]) -> str:
        """The cell, which must be one of the words."""
        found = self[column]
        if found not in allowed:
            self.fault(f'{column} is "{found}", which is none of {", ".join(allowed)}' if found else f"no {column}")
        return found

    def is_yes(self, column: str) -> bool:
        """Whether the cell says yes; only yes, no and nothing are understood."""
        found = self[column].lower()
        if found not in {"", "yes", "no", "true", "false", "true()", "false()"}:
            self.fault(f'{column} is "{self[column]}", neither yes nor empty')
        return found in {"yes", "true", "true()"}

    def texts(self, column: str, languages: Sequence[Language], *, is_needed: bool) -> Texts:
        """A text in every language; a text that is there in one language must be there in all."""
        found = {language.tag: self[f"{column}::{language.label}"] for language in languages}
        missing = [language.label for language in languages if not found[language.tag]]
        if missing and (is_needed or len(missing) < len(languages)):
            self.fault(f"no {column} in {', '.join(missing)}")
        return {tag: text for tag, text in found.items() if text}


def lines_of(sheets: Sheets, name: str, needed: Sequence[str], faults: Faults) -> list[Line]:
    """The filled rows of a sheet; a sheet, or a needed column, that is not there is a fault."""
    rows = sheets.get(name)
    if not rows:
        faults.add(name, 1, "the sheet is missing or empty")
        return []
    header = [_text(cell) for cell in rows[0]]
    for column in needed:
        if column not in header:
            faults.add(name, 1, f"no column {column}")
    for column in {column for column in header if column and header.count(column) > 1}:
        faults.add(name, 1, f"the column {column} is there twice")
    lines: list[Line] = []
    for number, row in enumerate(rows[1:], start=2):
        cells = {column: text for column, cell in zip(header, row, strict=False) if column and (text := _text(cell))}
        if cells:
            lines.append(Line(name, number, cells, faults))
    return lines


def languages_of(sheets: Sheets, faults: Faults) -> list[Language]:
    """The languages that the survey's label columns name."""
    header = [_text(cell) for cell in (sheets.get("survey") or [()])[0]]
    found = [Language(f"{match[1]} ({match[2]})", match[2]) for c in header if (match := _LANGUAGE_COLUMN.fullmatch(c))]
    if not found:
        faults.add("survey", 1, 'no column such as "label::English (en)"')
    return found


def _text(cell: object) -> str:
    """A cell as text; a whole number that the spreadsheet holds as 3.0 is 3."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return unicodedata.normalize("NFC", str(cell)).strip()
