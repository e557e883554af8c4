"""What advisors answered: the latest answer of each, and how two advisors' answers become one."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from contracts.assessment import FactValue
from contracts.vocabulary import Outcome, Polarity
from services.assessment.domain.questionnaire import Question


class Given(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An advisor's latest answer to a question.

    ``original`` is the text as typed where normalising changed it; ``note`` never leaves the visit's team;
    ``line`` is the line of an imported file.
    """

    by: str
    answered_at: datetime
    value: FactValue | None = None
    original: str | None = None
    is_not_applicable: bool = False
    note: str = ""
    evidence: tuple[str, ...] = ()
    line: int | None = None

    def says_the_same(self, other: "Given") -> bool:
        """Whether two answers agree; notes and evidence may differ."""
        return self.value == other.value and self.is_not_applicable == other.is_not_applicable


def merged(present: Sequence[Given], arrived: Given) -> tuple[Given, ...]:
    """The answers with one more: it replaces its author's older one, and an older one that arrives late is dropped."""
    for n, given in enumerate(present):
        if given.by == arrived.by:
            if arrived.answered_at < given.answered_at:
                return tuple(present)
            return (*present[:n], arrived, *present[n + 1 :])
    return (*present, arrived)


def standing(present: Sequence[Given]) -> Given:
    """The answer that counts: the newest; of two given at once the first advisor's."""
    return max(present, key=lambda given: given.answered_at)


def is_conflict(present: Sequence[Given]) -> bool:
    """Whether the advisors say different things."""
    return any(not given.says_the_same(present[0]) for given in present[1:])


def outcome_of(question: Question, given: Given) -> Outcome:
    """What an answer to a rated question means, by the question's polarity."""
    if given.is_not_applicable:
        return Outcome.NOT_APPLICABLE
    is_bad = (given.value == "yes") == (question.polarity is Polarity.YES_IS_NON_COMPLIANT)
    return Outcome.NON_COMPLIANT if is_bad else Outcome.COMPLIANT


def value_for(polarity: Polarity, *, is_non_compliant: bool) -> str:
    """The yes or no that means non-compliance or its absence."""
    return "yes" if is_non_compliant == (polarity is Polarity.YES_IS_NON_COMPLIANT) else "no"
