"""Results in the long format: one CSV row per answered question, out and in without loss.

The questionnaire is named (TQ name) by its English title, or by its title and version, ``Title (2026.1)``, where
several published versions share the title; an import understands both.

Cells that a spreadsheet would take for a formula (beginning with ``= + - @``, a tab or a line break; plain numbers
are none) and texts that read ``NA`` get an apostrophe in front, as do cells that begin with apostrophes followed by
such; reading takes one away. An unquoted ``NA`` says "not applicable". A visit of short scope says so by the tag
``scope:short``, because the format has no column for it.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import msgspec

from contracts.assessment import FactValue, VisitScope
from contracts.vocabulary import CLUSTER_BY_CODE, POINT_BY_CODE, Outcome, Polarity
from services.assessment.domain.answers import AnswerRefused, Checked, cell_of, checked_cell
from services.assessment.domain.findings import outcome
from services.assessment.domain.given import Given, standing, value_for
from services.assessment.domain.questionnaire import Question, Questionnaire
from services.assessment.domain.recording import refuse_not_applicable
from services.assessment.domain.visit import Visit

COLUMNS: Final = (
    "Country",
    "Factory id",
    "Cycle",
    "Quest id",
    "start date",
    "TQ name",
    "Cluster",
    "CP",
    "Question id",
    "label",
    "type",
    "tags",
    "finding",
)
"""The columns of the long format, in the order in which they are written."""

RATED: Final = "NCQ"
FACT: Final = "FGW"
NOT_APPLICABLE: Final = "NA"
SHORT_SCOPE: Final = "scope:short"

_RISKY: Final = re.compile(r"'*(?:[=+\-@\t\r\n].*|NA)", re.DOTALL)
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_FINDINGS: Final = {
    Outcome.NON_COMPLIANT: "1",
    Outcome.COMPLIANT: "0",
    Outcome.NOT_APPLICABLE: NOT_APPLICABLE,
}


class Cell(msgspec.Struct, frozen=True):
    """What a finding cell says: a checked value, or not applicable when there is none."""

    content: Checked | None


def guarded(cell: str) -> str:
    """A cell that no spreadsheet runs and no reader takes for "not applicable"."""
    return f"'{cell}" if _RISKY.fullmatch(cell) and not _NUMBER.fullmatch(cell) else cell


def unguarded(cell: str) -> str:
    """What ``guarded`` was given."""
    return cell[1:] if cell.startswith("'") and _RISKY.fullmatch(cell) else cell


def rows_of(visit: Visit, questionnaire: Questionnaire, *, tq_name: str, original_id: str) -> Iterator[Sequence[str]]:
    """A visit's rows in the order of the questionnaire, guarded; questions that were left open have none."""
    head = [
        questionnaire.country,
        guarded(original_id),
        str(visit.cycle),
        guarded(visit.id),
        visit.starts_on.isoformat(),
        guarded(tq_name),
    ]
    scope = (SHORT_SCOPE,) if visit.scope is VisitScope.SHORT else ()
    for question in questionnaire.form.questions:
        finding = _finding(question, visit)
        if finding is not None:
            point = POINT_BY_CODE[question.compliance_point].name if question.compliance_point else ""
            yield [
                *head,
                CLUSTER_BY_CODE[question.cluster].name,
                point,
                question.id,
                guarded(question.texts.get("en") or next(iter(question.texts.values()))),
                RATED if question.is_rated else FACT,
                " ".join((*question.tags, *scope)),
                finding,
            ]


def read_finding(question: Question, cell: str, today: date) -> Cell:
    """What a finding cell says of a question; raises ``AnswerRefused``.

    A rated question has 1 (non-compliant), 0, or NA or nothing (not applicable), a fact its typed value or NA.
    """
    if cell == NOT_APPLICABLE or (not cell and question.is_rated):
        refuse_not_applicable(question)
        return _NOT_APPLICABLE
    if question.polarity is not None:
        found = _RATED_CELLS.get((cell, question.polarity))
        if found is None:
            raise AnswerRefused(f'The finding "{cell[:40]}" of a rated question is none of 0, 1, NA and nothing.')
        return found
    if not cell:
        raise AnswerRefused("A fact needs a value, or NA where the question permits it.")
    return Cell(checked_cell(question, unguarded(cell), today))


def _finding(question: Question, visit: Visit) -> str | None:
    """The finding cell; ``None`` for a question that was left open."""
    if question.is_rated:
        return _FINDINGS.get(outcome(question, visit))
    given = visit.answers.get(question.id)
    return _fact_cell(standing(given)) if given else None


def _fact_cell(given: Given) -> str:
    if given.is_not_applicable or given.value is None:
        return NOT_APPLICABLE
    # The text as typed: reading normalises it again.
    value: FactValue = given.value if given.original is None else given.original
    return guarded(cell_of(value))


_NOT_APPLICABLE: Final = Cell(None)
_RATED_CELLS: Final = {
    (cell, polarity): Cell(Checked(value_for(polarity, is_non_compliant=cell == "1")))
    for cell in ("0", "1")
    for polarity in Polarity
}
"""Every good cell of a rated question, made once: results come by the hundred thousand."""
