"""One question of an XLSForm workbook: its row of the survey sheet, read and checked."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from contracts.vocabulary import AnswerType, Basis, Polarity, QuestionKind
from services.assessment.domain.questionnaire import Choice, Condition, Limits, Question
from services.assessment.domain.sheets import Language, Line

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""What a question, choice or group may be called: fit for a document key and a path."""

EVIDENCE_SOURCES: Final = ("document", "management", "worker", "observation")

_KINDS: Final = [kind.value for kind in QuestionKind]
_ANSWER_TYPES: Final = [answer_type.value for answer_type in AnswerType]
_POLARITIES: Final = {polarity.value: polarity for polarity in Polarity}
_BASES: Final = {basis.value: basis for basis in Basis}
_PLAIN_TYPES: Final[Mapping[str, str]] = {
    "integer": "integer",
    "decimal": "decimal",
    "percent": "decimal",
    "money": "decimal",
    "date": "date",
    "text": "text",
    "by_sex": "begin_group",
}
_SELECTS: Final = {"choice": "select_one", "choices": "select_multiple", "yes_no": "select_one"}
_NUMBER: Final = r"(-?[0-9]+(?:\.[0-9]+)?)"
_BOUND: Final = re.compile(rf"\. ?(>=|<=) ?{_NUMBER}")
_RELEVANT: Final = re.compile(r"\$\{([^}]+)\} ?(?:(=) ?'yes'|(>) ?0)")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_RULED: Final = ("star_polarity", "star_basis")


class Place(msgspec.Struct, frozen=True):
    """The group that a question stands in."""

    cluster: str
    compliance_point: str | None


def question_of(
    line: Line, place: Place, languages: Sequence[Language], lists: Mapping[str, tuple[Choice, ...]]
) -> Question | None:
    """The question of a row; its faults are noted on the line, and ``None`` says that there are such."""
    kind = line.one_of("star_kind", _KINDS)
    answer_type = line.one_of("star_answer_type", _ANSWER_TYPES)
    if kind not in _KINDS or answer_type not in _ANSWER_TYPES:
        return None
    is_rated = kind == QuestionKind.NON_COMPLIANCE
    if is_rated:
        _check_rated(line, place, answer_type)
    else:
        for column in _RULED:
            if line[column]:
                line.fault(f"a fact has no {column}")
    if not line["star_global_id"]:
        line.fault("no star_global_id")
    return Question(
        id=line["name"],
        global_id=line["star_global_id"],
        original_id=line["star_original_id"] or line["name"],
        kind=QuestionKind(kind),
        cluster=place.cluster,
        compliance_point=place.compliance_point,
        answer_type=AnswerType(answer_type),
        polarity=_POLARITIES.get(line["star_polarity"]) if is_rated else None,
        basis=_BASES.get(line["star_basis"]) if is_rated else None,
        texts=line.texts("label", languages, is_needed=True),
        guidance=line.texts("guidance_hint", languages, is_needed=False),
        finding_texts=line.texts("star_finding", languages, is_needed=is_rated),
        legal_references=_legal_references(line, languages),
        evidence_sources=_evidence_sources(line),
        tags=_tags(line),
        choices=_choices(line, answer_type, lists),
        currency=_currency(line, answer_type),
        limits=_limits(line),
        asked_when=_asked_when(line),
        is_required=line.is_yes("required"),
        is_zero_tolerance=line.is_yes("star_zero_tolerance"),
        may_be_not_applicable=line.is_yes("star_not_applicable"),
    )


def check_by_sex(line: Line, inner: Sequence[Line]) -> None:
    """A table by sex holds exactly a row for women and one for men."""
    name = line["name"]
    expected = [("integer", f"{name}_women"), ("integer", f"{name}_men")]
    if [(row["type"], row["name"]) for row in inner] != expected:
        line.fault(f"a table by sex holds two integers, {name}_women and {name}_men")


def _check_rated(line: Line, place: Place, answer_type: str) -> None:
    line.one_of("star_polarity", list(_POLARITIES))
    basis = line.one_of("star_basis", list(_BASES))
    if answer_type != AnswerType.YES_NO:
        line.fault("a rated question is answered by yes_no")
    if place.compliance_point is None:
        line.fault("a rated question stands in the group of a compliance point")
    if basis in {Basis.ILO, Basis.NATIONAL_LAW} and not line["star_legal_reference"]:
        line.fault(f"no star_legal_reference, though the basis is {basis}")


def _legal_references(line: Line, languages: Sequence[Language]) -> dict[str, str]:
    """The first language has the plain column, the others one with their tag."""
    columns = {
        language.tag: "star_legal_reference" if n == 0 else f"star_legal_reference_{language.tag}"
        for n, language in enumerate(languages)
    }
    found = {tag: line[column] for tag, column in columns.items() if line[column]}
    if found and len(found) < len(columns):
        line.fault("no " + ", ".join(column for tag, column in columns.items() if tag not in found))
    return found


def _evidence_sources(line: Line) -> tuple[str, ...]:
    sources = tuple(line["star_evidence"].split())
    for source in sources:
        if source not in EVIDENCE_SOURCES:
            line.fault(f'star_evidence names "{source}", which is none of {", ".join(EVIDENCE_SOURCES)}')
    return sources


def _tags(line: Line) -> tuple[str, ...]:
    tags = tuple(line["star_tags"].split())
    for tag in tags:
        if not NAME.fullmatch(tag):
            line.fault(f'"{tag}" cannot be a tag')
    return tags


def _choices(line: Line, answer_type: str, lists: Mapping[str, tuple[Choice, ...]]) -> tuple[Choice, ...]:
    """Check the XLSForm type against the answer type; the choices of a choice question."""
    plain = _PLAIN_TYPES.get(answer_type)
    words = line["type"].split()
    if plain is not None:
        if words != [plain] and line["type"] != plain.replace("_", " "):
            line.fault(f'the type of a {answer_type} is {plain}, not "{line["type"]}"')
        return ()
    if len(words) != 2 or words[0] != _SELECTS[answer_type]:
        line.fault(f'the type of a {answer_type} is {_SELECTS[answer_type]} <list>, not "{line["type"]}"')
        return ()
    if words[1] not in lists:
        line.fault(f"the sheet choices has no list {words[1]}")
        return ()
    if answer_type != AnswerType.YES_NO:
        return lists[words[1]]
    wanted = ["yes", "no", "na"] if line.is_yes("star_not_applicable") else ["yes", "no"]
    if [choice.name for choice in lists[words[1]]] != wanted:
        line.fault(f"the list {words[1]} must offer {', '.join(wanted)}, as star_not_applicable says")
    return ()


def _currency(line: Line, answer_type: str) -> str | None:
    currency = line["star_currency"]
    if (answer_type == AnswerType.MONEY) != bool(currency):
        line.fault("star_currency belongs on every money fact and nowhere else")
    elif currency and not _CURRENCY.fullmatch(currency):
        line.fault(f'"{currency}" is no ISO 4217 currency')
    return currency or None


def _limits(line: Line) -> Limits | None:
    """Read ``. >= n``, ``. <= n``, two of them, or ``. <= today()``; anything else is not understood."""
    constraint = line["constraint"]
    if not constraint:
        return None
    if constraint == ". <= today()":
        return Limits(not_after_today=True)
    bounds: dict[str, str] = {}
    for part in constraint.split(" and "):
        bound = _BOUND.fullmatch(part)
        if bound is None or bound[1] in bounds:
            line.fault(f'the constraint "{constraint}" is not understood')
            return None
        bounds[bound[1]] = bound[2]
    return Limits(minimum=bounds.get(">="), maximum=bounds.get("<="))


def _asked_when(line: Line) -> Condition | None:
    relevant = line["relevant"]
    if not relevant:
        return None
    found = _RELEVANT.fullmatch(relevant)
    if found is None:
        line.fault(f"relevant \"{relevant}\" is not understood: ${{name}} = 'yes' and ${{name}} > 0 are")
        return None
    if line["star_kind"] == QuestionKind.NON_COMPLIANCE and not line.is_yes("star_not_applicable"):
        line.fault("a rated question that is not always asked says star_not_applicable = yes")
    return Condition(question_id=found[1], needs="yes" if found[2] else "above_zero")
