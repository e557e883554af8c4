"""What a country must hold, computed from nothing but the journal of what was acknowledged."""

from typing import Any

import msgspec

from tests.crash.form import BAD_ANSWER
from tests.crash.journal import (
    Answered,
    EvidenceKept,
    Granted,
    Journal,
    LineReported,
    ReportReleased,
    Revoked,
    VisitFinalised,
    VisitScheduled,
)


class Visit(msgspec.Struct):
    """One visit as its people left it; ``answers`` are by question and advisor, the latest of each."""

    id: str
    factory_id: str
    cycle: int
    answers: dict[str, dict[str, Answered]] = {}
    evidence: dict[str, str] = {}
    lines: dict[str, LineReported] = {}
    is_finalised: bool = False
    report_id: str = ""

    def standing(self, question_id: str) -> Any:
        """The answer that counts: the newest, of two at once the one that was recorded first."""
        return max(self.answers[question_id].values(), key=lambda each: each.answered_at).value

    def findings(self) -> list[str]:
        """The questions that were answered the bad way, in the order of the questionnaire."""
        return [question for question, bad in BAD_ANSWER.items() if self.standing(question) == bad]


def visits(journal: Journal) -> dict[str, Visit]:
    """Every visit of the journal."""
    found: dict[str, Visit] = {}
    for fact in journal.facts:
        match fact:
            case VisitScheduled(visit_id, factory_id, cycle):
                found[visit_id] = Visit(visit_id, factory_id, cycle)
            case Answered():
                found[fact.visit_id].answers.setdefault(fact.question_id, {})[fact.by] = fact
            case EvidenceKept(visit_id, evidence_id, sha256):
                found[visit_id].evidence[evidence_id] = sha256
            case VisitFinalised(visit_id):
                found[visit_id].is_finalised = True
            case LineReported():
                found[fact.visit_id].lines[fact.line_id] = fact
            case ReportReleased(visit_id, report_id):
                found[visit_id].report_id = report_id
            case _:
                pass
    return found


def grants(journal: Journal) -> dict[str, bool]:
    """Every grant, with whether it is in force."""
    state: dict[str, bool] = {}
    for fact in journal.facts:
        match fact:
            case Granted(grant_id):
                state[grant_id] = True
            case Revoked(grant_id):
                state[grant_id] = False
            case _:
                pass
    return state
