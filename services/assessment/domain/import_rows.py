"""The rows of a results file: read once, grouped by visit (Quest id), and laid over what the visit holds."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from contracts.assessment import VisitScope
from contracts.errors import Malformed
from contracts.identifiers import ID_PATTERN
from contracts.vocabulary import CLUSTER_BY_CODE, POINT_BY_CODE, Outcome
from services.assessment.domain.factory import Factory
from services.assessment.domain.findings import outcome
from services.assessment.domain.given import Given, standing
from services.assessment.domain.imports import Rejection
from services.assessment.domain.questionnaire import Question, Questionnaire
from services.assessment.domain.results import FACT, RATED, SHORT_SCOPE, read_finding, unguarded
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import ANSWERABLE, Origin, Plan, Visit, scheduled

REASON: Final = "Imported results: the pair of advisors and the required questions were settled where they come from."
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CYCLE: Final = re.compile(r"[1-9][0-9]{0,2}")
_ID: Final = re.compile(ID_PATTERN)
_EARLIEST_ZONE: Final = timedelta(hours=14)
"""What is tomorrow everywhere on Earth lies in the future."""

Known = Mapping[str, Questionnaire | str]
"""Questionnaires by TQ name, or why a name means none."""


class Quest(msgspec.Struct, frozen=True):
    """What every row of a visit repeats."""

    visit_id: str
    factory: Factory
    cycle: int
    starts_on: date
    questionnaire: Questionnaire
    scope: VisitScope

    @property
    def place(self) -> tuple[str, int, str]:
        """What only one visit may have: factory, cycle and questionnaire."""
        return self.factory.id, self.cycle, self.questionnaire.id


class QuestRows(msgspec.Struct):
    """The good rows of one visit in a piece of a file."""

    quest: Quest
    line: int
    rows: list[tuple[str, Given]]


class Applied(msgspec.Struct, frozen=True):
    """A visit with rows laid over it, and what became of each row."""

    visit: Visit
    imported: int
    unchanged: int
    rejected: list[Rejection]


class _Refused(Malformed):
    """Why a row is not imported."""


class RowReader:
    """Reads rows; what rows have in common is looked at once."""

    def __init__(
        self, *, country: str, factories: Mapping[str, Factory | str], known: Known, by: str, now: datetime
    ) -> None:
        self.quests: dict[str, QuestRows] = {}
        self.rejected: list[Rejection] = []
        self._country = country
        self._factories = factories
        self._known = known
        self._by = by
        self._now = now
        self._today = (now + _EARLIEST_ZONE).date()
        self._heads: dict[tuple[object, ...], Quest | str] = {}

    def read(self, line: int, row: Sequence[str]) -> None:
        """Read one row in the order of ``COLUMNS``; a bad one is noted with its reason."""
        try:
            self._read(line, row)
        except Malformed as refusal:
            self.rejected.append(Rejection(line=line, reason=str(refusal)))

    def _read(self, line: int, row: Sequence[str]) -> None:
        country, original_id, cycle, quest_id, starts_on, tq_name, cluster, point, question_id, _, kind, tags, cell = (
            row
        )
        head = (country, original_id, cycle, quest_id, starts_on, tq_name, SHORT_SCOPE in tags)
        quest = self._heads.get(head)
        if quest is None:
            quest = self._heads[head] = self._quest(row)
        if isinstance(quest, str):
            raise _Refused(quest)
        group = self.quests.get(quest.visit_id)
        if group is not None and group.quest is not quest and _key(group.quest) != _key(quest):
            raise _Refused(f"Quest {quest.visit_id} is described differently on line {group.line}.")
        question = quest.questionnaire.by_id.get(question_id)
        if question is None:
            raise _Refused(f'The questionnaire has no question "{question_id[:64]}".')
        _check_question(question, cluster, point, kind)
        content = read_finding(question, cell, self._today).content
        given = Given(
            by=self._by,
            answered_at=self._now,
            value=None if content is None else content.value,
            original=None if content is None else content.original,
            is_not_applicable=content is None,
            line=line,
        )
        if group is None:
            group = self.quests[quest.visit_id] = QuestRows(quest, line, [])
        group.rows.append((question_id, given))

    def _quest(self, row: Sequence[str]) -> Quest | str:
        """What the row says of its visit, or why that cannot be."""
        country, original_id, cycle, quest_id, starts_on, tq_name = (unguarded(cell) for cell in row[:6])
        if country != self._country:
            return f'The country is "{country[:20]}"; this programme is {self._country}.'
        if not _CYCLE.fullmatch(cycle):
            return f'The cycle "{cycle[:20]}" is not a number from 1 to 999.'
        if not _ID.fullmatch(quest_id):
            return f'The Quest id "{quest_id[:64]}" is not 1 to 64 characters of A-Z a-z 0-9 _ -.'
        day = _day(starts_on)
        if day is None:
            return f'The start date "{starts_on[:20]}" is not a date written as 2026-01-31.'
        factory = self._factories[original_id]
        questionnaire = self._known[tq_name]
        for found in (factory, questionnaire):
            if isinstance(found, str):
                return found
        assert isinstance(factory, Factory)  # noqa: S101 - the loop has returned every reason
        assert isinstance(questionnaire, Questionnaire)  # noqa: S101
        scope = VisitScope.SHORT if SHORT_SCOPE in row[11].split() else VisitScope.FULL
        return Quest(quest_id, factory, int(cycle), day, questionnaire, scope)


def new_visit(quest: Quest, *, import_id: str, by: str, now: datetime) -> Visit:
    """The visit of a Quest id that is seen for the first time."""
    plan = Plan(
        factory_id=quest.factory.id,
        time_zone=quest.factory.time_zone,
        cycle=quest.cycle,
        questionnaire_id=quest.questionnaire.id,
        starts_on=quest.starts_on,
        scope=quest.scope,
    )
    return scheduled(quest.visit_id, plan, by=by, now=now, origin=Origin(import_id=import_id, by=by, reason=REASON))


def with_rows(visit: Visit, group: QuestRows, *, import_id: str, by: str) -> Applied:
    """Lay rows over a visit: what it says already is unchanged, and what advisors recorded is never overwritten."""
    quest = group.quest
    if reason := _difference(visit, quest):
        return Applied(visit, 0, 0, [Rejection(line=given.line or 0, reason=reason) for _, given in group.rows])
    closed = _why_closed(visit)
    if visit.origin is not None and not closed:
        visit = _adopted(visit, import_id=import_id, by=by)
    answers = dict(visit.answers)
    unchanged, rejected = 0, []
    for question_id, given in group.rows:
        present = answers.get(question_id)
        question = quest.questionnaire.by_id[question_id]
        if (present and standing(present).says_the_same(given)) or (
            not present and closed and _is_implied(question, given, visit)
        ):
            unchanged += 1
        elif closed:
            rejected.append(Rejection(line=given.line or 0, reason=closed))
        elif present and (line := present[0].line) is not None and line != given.line:
            reason = f"Line {line} gives another finding for question {question_id} of Quest {visit.id}."
            rejected.append(Rejection(line=given.line or 0, reason=reason))
        else:
            answers[question_id] = (given,)
    imported = len(group.rows) - unchanged - len(rejected)
    stage = VisitStage.UNDER_WAY if imported and visit.stage in ANSWERABLE else visit.stage
    return Applied(replace(visit, answers=answers, stage=stage), imported, unchanged, rejected)


def _check_question(question: Question, cluster: str, point: str, kind: str) -> None:
    """A row that is off by a column or a question must not pass for a result."""
    if kind != (RATED if question.is_rated else FACT):
        raise _Refused(
            f'The type of question {question.id} is {RATED if question.is_rated else FACT}, not "{kind[:20]}".'
        )
    if cluster not in {CLUSTER_BY_CODE[question.cluster].name, question.cluster}:
        raise _Refused(f'Question {question.id} belongs to {question.cluster}, not to "{cluster[:64]}".')
    code = question.compliance_point
    if point not in ({POINT_BY_CODE[code].name, code} if code else {""}):
        raise _Refused(f'Question {question.id} belongs to {code or "no compliance point"}, not to "{point[:64]}".')


def _key(quest: Quest) -> tuple[object, ...]:
    return quest.factory.id, quest.cycle, quest.starts_on, quest.questionnaire.id, quest.scope


def _day(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _difference(visit: Visit, quest: Quest) -> str:
    """Why the rows cannot belong to the visit; empty when they do."""
    present = (visit.factory_id, visit.cycle, visit.starts_on, visit.questionnaire_id, visit.scope)
    if present == _key(quest):
        return ""
    return f"Quest {visit.id} is known with another factory, cycle, start date, questionnaire or scope."


def _why_closed(visit: Visit) -> str:
    """Why an import may not change the visit; empty when it may."""
    if visit.origin is None:
        return f"Quest {visit.id} was recorded by its advisors; an import does not change it."
    if visit.stage not in ANSWERABLE:
        return f"Quest {visit.id} is {visit.stage} and does not change any more."
    return ""


def _is_implied(question: Question, given: Given, visit: Visit) -> bool:
    """Whether a row says "not applicable" of what the factory's profile says already."""
    return given.is_not_applicable and question.is_rated and outcome(question, visit) is Outcome.NOT_APPLICABLE


def _adopted(visit: Visit, *, import_id: str, by: str) -> Visit:
    """The visit as part of this import; the line numbers of another file mean nothing in this one."""
    if visit.origin is not None and visit.origin.import_id == import_id and visit.origin.refusal is None:
        return visit
    answers = visit.answers
    if visit.origin is not None and visit.origin.import_id != import_id:
        answers = {key: tuple(replace(given, line=None) for given in present) for key, present in answers.items()}
    return replace(visit, answers=answers, origin=Origin(import_id=import_id, by=by, reason=REASON))
