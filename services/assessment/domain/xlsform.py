"""Reads an XLSForm workbook into the content of a questionnaire; every fault is told with its sheet and row."""

from collections.abc import Mapping, Sequence
from typing import Final

from contracts.assessment import Texts
from contracts.vocabulary import CLUSTER_BY_CODE, POINT_BY_CODE, AnswerType
from services.assessment.domain.questionnaire import Choice, Form, Group, Question
from services.assessment.domain.sheets import Faults, Language, Line, Sheets, languages_of, lines_of
from services.assessment.domain.xlsform_questions import NAME, Place, check_by_sex, question_of

_SURVEY: Final = (
    "type",
    "name",
    "star_kind",
    "star_answer_type",
    "star_polarity",
    "star_basis",
    "star_legal_reference",
    "star_global_id",
    "star_not_applicable",
)
_SETTINGS: Final = ("form_title", "form_id", "version", "default_language", "star_country", "star_industry")
_METADATA: Final = frozenset({"start", "end", "today", "deviceid", "username", "note", "audit"})
"""XLSForm rows that ask nothing of the factory."""


def form_of(sheets: Sheets, *, country: str) -> Form:
    """The form of a workbook for a country; raises ``WorkbookFaulty`` with all faults at once."""
    faults = Faults()
    languages = languages_of(sheets, faults)
    lists = _choice_lists(lines_of(sheets, "choices", ("list_name", "name"), faults), languages)
    survey = _Survey(languages, lists)
    for line in lines_of(sheets, "survey", _SURVEY, faults):
        survey.read(line)
    survey.finish(faults)
    settings = lines_of(sheets, "settings", _SETTINGS, faults)
    if len(settings) != 1:
        faults.add("settings", 2, "the sheet has exactly one row")
        faults.raise_if_any()
    line = settings[0]
    titles = _titles(line, languages)
    if line["star_country"] != country:
        line.fault(f'star_country is "{line["star_country"]}"; this programme is {country}')
    for column in ("form_id", "version", "star_industry"):
        if not line[column] or len(line[column]) > 64:
            line.fault(f"{column} has 1 to 64 characters")
    default = [language.tag for language in languages if language.label == line["default_language"]]
    if not default:
        line.fault(f'default_language "{line["default_language"]}" has no label column')
    faults.raise_if_any()
    return Form(
        form_id=line["form_id"],
        version=line["version"],
        country=country,
        industry=line["star_industry"],
        default_language=default[0],
        languages=tuple(language.tag for language in languages),
        titles=titles,
        groups=tuple(survey.groups),
        questions=tuple(survey.questions),
    )


def _titles(line: Line, languages: Sequence[Language]) -> Texts:
    """The title in every language: ``form_title`` in the default one, ``star_title_<tag>`` in the others."""
    titles: Texts = {}
    for language in languages:
        column = "form_title" if language.label == line["default_language"] else f"star_title_{language.tag}"
        titles[language.tag] = line[column]
        if not line[column] or len(line[column]) > 200:
            line.fault(f"{column} has 1 to 200 characters")
    return titles


def _choice_lists(lines: Sequence[Line], languages: Sequence[Language]) -> dict[str, tuple[Choice, ...]]:
    lists: dict[str, tuple[Choice, ...]] = {}
    for line in lines:
        list_name, name = line["list_name"], line["name"]
        if not NAME.fullmatch(list_name) or not NAME.fullmatch(name):
            line.fault("list_name and name are words of A-Z a-z 0-9 _ -")
        present = lists.get(list_name, ())
        if any(choice.name == name for choice in present):
            line.fault(f"the list {list_name} has {name} twice")
        lists[list_name] = (*present, Choice(name=name, labels=line.texts("label", languages, is_needed=True)))
    return lists


class _Survey:
    """Walks the rows of the survey sheet; the open groups tell where a question stands."""

    def __init__(self, languages: Sequence[Language], lists: Mapping[str, tuple[Choice, ...]]) -> None:
        self.groups: list[Group] = []
        self.questions: list[Question] = []
        self._languages = languages
        self._lists = lists
        self._open: list[Line] = []
        self._inner: list[Line] = []
        self._names: set[str] = set()
        self._conditions: list[tuple[Line, Question]] = []

    def read(self, line: Line) -> None:
        """Read one row."""
        row_type = line["type"].replace(" ", "_") if line["type"].startswith(("begin", "end")) else line["type"]
        if row_type == "end_group":
            self._close(line)
            return
        if row_type in _METADATA:
            return
        self._take_name(line)
        if self._is_in_table():
            self._inner.append(line)
        elif line["star_kind"]:
            self._read_question(line, is_group=row_type == "begin_group")
        elif row_type == "begin_group":
            self._open_group(line)
        else:
            line.fault("a question needs a star_kind")

    def finish(self, faults: Faults) -> None:
        """Check what only the whole sheet can tell."""
        for line in self._open:
            line.fault(f"the group {line['name']} is not ended")
        by_id = {question.id: question for question in self.questions}
        for line, question in self._conditions:
            _check_condition(line, question, by_id)
        if not any(question.is_rated for question in self.questions):
            faults.add("survey", 1, "the form has no rated question")

    def _take_name(self, line: Line) -> None:
        name = line["name"]
        if not NAME.fullmatch(name):
            line.fault(f'"{name}" is not a name of A-Z a-z 0-9 _ - that begins with a letter')
        if name in self._names:
            line.fault(f"the name {name} is there twice")
        self._names.add(name)

    def _is_in_table(self) -> bool:
        return bool(self._open) and bool(self._open[-1]["star_kind"])

    def _close(self, line: Line) -> None:
        if not self._open:
            line.fault("there is no group to end")
            return
        begun = self._open.pop()
        if line["name"] and line["name"] != begun["name"]:
            line.fault(f"this ends {line['name']}, but the open group is {begun['name']}")
        if begun["star_kind"]:
            check_by_sex(begun, self._inner)
            self._inner = []

    def _open_group(self, line: Line) -> None:
        """A cluster or section at the top, a compliance point of that cluster inside."""
        name = line["name"]
        if not self._open and name not in CLUSTER_BY_CODE:
            line.fault(f"{name} is not the code of a cluster or section")
        if self._open:
            point = POINT_BY_CODE.get(name)
            if len(self._open) > 1 or point is None or point.cluster != self._open[0]["name"]:
                line.fault(f"{name} is not the code of a compliance point of {self._open[0]['name']}")
        self.groups.append(
            Group(
                code=name,
                titles=line.texts("label", self._languages, is_needed=True),
                guidance=line.texts("guidance_hint", self._languages, is_needed=False),
            )
        )
        self._open.append(line)

    def _read_question(self, line: Line, *, is_group: bool) -> None:
        if not self._open:
            line.fault("a question stands in the group of a cluster or section")
        cluster = self._open[0]["name"] if self._open else ""
        point = self._open[1]["name"] if len(self._open) > 1 else None
        question = question_of(line, Place(cluster, point), self._languages, self._lists)
        if is_group:
            self._open.append(line)
        if question is not None:
            self.questions.append(question)
            if question.asked_when is not None:
                self._conditions.append((line, question))


def _check_condition(line: Line, question: Question, by_id: Mapping[str, Question]) -> None:
    condition = question.asked_when
    needed = AnswerType.YES_NO if condition and condition.needs == "yes" else AnswerType.INTEGER
    profile = by_id.get(condition.question_id) if condition else None
    if profile is None or profile.is_rated or profile.answer_type is not needed:
        line.fault(f"relevant speaks of no {needed} fact of this form")
