"""Typed answers: what an answer to a question may be, and why it may not; facts are never cleaned afterwards."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from contracts.assessment import FactValue
from contracts.errors import Malformed
from contracts.vocabulary import AnswerType
from services.assessment.domain.questionnaire import Question

LONGEST_TEXT: Final = 10_000
"""Characters of a text answer or a note."""

LARGEST_INTEGER: Final = 10**15

_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONEY: Final = re.compile(rf"({_DECIMAL.pattern})(?: ([A-Z]{{3}}))?")
_BY_SEX: Final = re.compile(r"women=([0-9]{1,9}) men=([0-9]{1,9})")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class AnswerRefused(Malformed):
    """The answer is not of the question's type, or is outside of its limits."""

    code = "answer_refused"


class Checked(msgspec.Struct, frozen=True):
    """A value in its one written form, and the text as it was typed where normalising changed it."""

    value: FactValue
    original: str | None = None


def checked(question: Question, raw: object, today: date) -> Checked:
    """The value of a JSON answer; raises ``AnswerRefused`` with the reason.

    Integers are integers; decimals, percentages and money become strings without trailing zeros (money with its
    currency: ``12.5 JOD``); dates stay ISO 8601; choices take the questionnaire's order; texts become NFC.
    ``today`` is the date at the factory.
    """
    return _CHECKS[question.answer_type](question, raw, today)


def checked_cell(question: Question, cell: str, today: date) -> Checked:
    """The value of a cell of a results file, as strict as ``checked``; raises ``AnswerRefused``."""
    raw: object = cell
    match question.answer_type:
        case AnswerType.INTEGER:
            if not _INTEGER.fullmatch(cell):
                raise AnswerRefused(f"{_shown(cell)} is not a whole number written in digits.")
            raw = int(cell)
        case AnswerType.CHOICES:
            raw = cell.split(" ")
        case AnswerType.BY_SEX:
            found = _BY_SEX.fullmatch(cell)
            if found is None:
                raise AnswerRefused(f"{_shown(cell)} is not a count by sex such as women=12 men=30.")
            raw = {"women": int(found[1]), "men": int(found[2])}
    return checked(question, raw, today)


def cell_of(value: FactValue) -> str:
    """A value as ``checked_cell`` reads it."""
    if isinstance(value, dict):
        return f"women={value['women']} men={value['men']}"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def checked_text(raw: object, what: str) -> Checked:
    """A text in NFC with what was typed; raises ``AnswerRefused`` for control characters, blanks or too long a text."""
    if not isinstance(raw, str):
        raise AnswerRefused(f"{what} is a text.")
    if len(raw) > LONGEST_TEXT:
        raise AnswerRefused(f"{what} has at most {LONGEST_TEXT} characters.")
    if _CONTROL.search(raw):
        raise AnswerRefused(f"{what} holds a control character.")
    if not raw.strip():
        raise AnswerRefused(f"{what} is empty.")
    normal = unicodedata.normalize("NFC", raw)
    return Checked(normal, raw if raw != normal else None)


def _yes_no(_: Question, raw: object, __: date) -> Checked:
    if isinstance(raw, bool):
        return _YES if raw else _NO
    if raw == "yes":
        return _YES
    if raw == "no":
        return _NO
    raise AnswerRefused(f"{_shown(raw)} is neither yes nor no.")


def _integer(question: Question, raw: object, _: date) -> Checked:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise AnswerRefused(f"{_shown(raw)} is not a whole number.")
    if abs(raw) >= LARGEST_INTEGER:
        raise AnswerRefused("The number is too large.")
    _keep_to_limits(question, Decimal(raw))
    return Checked(raw)


def _decimal(question: Question, raw: object, _: date) -> Checked:
    number = _number(raw)
    _keep_to_limits(question, number)
    return Checked(_written(number))


def _percent(question: Question, raw: object, _: date) -> Checked:
    number = _number(raw)
    if not 0 <= number <= 100:
        raise AnswerRefused(f"{_shown(raw)} is not a percentage between 0 and 100.")
    _keep_to_limits(question, number)
    return Checked(_written(number))


def _money(question: Question, raw: object, _: date) -> Checked:
    amount, currency = raw, None
    if isinstance(raw, Mapping):
        if set(raw) != {"amount", "currency"}:
            raise AnswerRefused("Money has an amount and a currency.")
        amount, currency = raw["amount"], raw["currency"]
    elif isinstance(raw, str) and (found := _MONEY.fullmatch(raw)):
        amount, currency = found[1], found[2]
    if currency is not None and currency != question.currency:
        raise AnswerRefused(f"The currency is {question.currency}, not {_shown(currency)}.")
    number = _number(amount)
    _keep_to_limits(question, number)
    return Checked(f"{_written(number)} {question.currency}")


def _date(question: Question, raw: object, today: date) -> Checked:
    if not isinstance(raw, str) or not _DATE.fullmatch(raw):
        raise AnswerRefused(f"{_shown(raw)} is not a date written as 2026-01-31.")
    try:
        day = date.fromisoformat(raw)
    except ValueError:
        raise AnswerRefused(f"{_shown(raw)} is not a day of the calendar.") from None
    if question.limits is not None and question.limits.not_after_today and day > today:
        raise AnswerRefused(f"{raw} lies in the future.")
    return Checked(raw)


def _text(_: Question, raw: object, __: date) -> Checked:
    return checked_text(raw, "The answer")


def _choice(question: Question, raw: object, _: date) -> Checked:
    if isinstance(raw, str) and any(raw == choice.name for choice in question.choices):
        return Checked(raw)
    raise AnswerRefused(f"{_shown(raw)} is not one of {_offered(question)}.")


def _choices(question: Question, raw: object, _: date) -> Checked:
    if not isinstance(raw, list | tuple) or not raw:
        raise AnswerRefused("The answer is a list of at least one choice.")
    names = [choice.name for choice in question.choices]
    for item in raw:
        if item not in names:
            raise AnswerRefused(f"{_shown(item)} is not one of {_offered(question)}.")
    if len(set(raw)) != len(raw):
        raise AnswerRefused("A choice is named twice.")
    return Checked(tuple(name for name in names if name in raw))


def _by_sex(question: Question, raw: object, _: date) -> Checked:
    if not isinstance(raw, Mapping) or set(raw) != {"women", "men"}:
        raise AnswerRefused("The answer counts women and men.")
    for count in raw.values():
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 10**9:
            raise AnswerRefused("A count of women or men is a whole number from 0.")
        _keep_to_limits(question, Decimal(count))
    return Checked({"women": raw["women"], "men": raw["men"]})


def _number(raw: object) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise AnswerRefused(f"{_shown(raw)} is not a number.")
    # repr gives the shortest digits that mean this float: what the client wrote.
    written = raw if isinstance(raw, str) else repr(raw)
    if not _DECIMAL.fullmatch(written):
        raise AnswerRefused(
            f"{_shown(raw)} is not a number written in digits, with a point and at most six decimals if any."
        )
    return Decimal(written)


def _written(number: Decimal) -> str:
    """Digits without trailing zeros or an exponent; there is one way to write zero."""
    return format(number.normalize(), "f") if number else "0"


def _keep_to_limits(question: Question, number: Decimal) -> None:
    limits = question.limits
    if limits is None:
        return
    if limits.minimum is not None and number < Decimal(limits.minimum):
        raise AnswerRefused(f"{_written(number)} is below {limits.minimum}.")
    if limits.maximum is not None and number > Decimal(limits.maximum):
        raise AnswerRefused(f"{_written(number)} is above {limits.maximum}.")


def _shown(raw: object) -> str:
    """What was sent, short enough for a sentence."""
    text = raw if isinstance(raw, str) else str(raw)
    return f'"{text[:40]}{"…" if len(text) > 40 else ""}"'


def _offered(question: Question) -> str:
    return ", ".join(choice.name for choice in question.choices)


_YES: Final = Checked("yes")
_NO: Final = Checked("no")
_CHECKS: Final[Mapping[AnswerType, Callable[[Question, object, date], Checked]]] = {
    AnswerType.YES_NO: _yes_no,
    AnswerType.INTEGER: _integer,
    AnswerType.DECIMAL: _decimal,
    AnswerType.PERCENT: _percent,
    AnswerType.MONEY: _money,
    AnswerType.DATE: _date,
    AnswerType.TEXT: _text,
    AnswerType.CHOICE: _choice,
    AnswerType.CHOICES: _choices,
    AnswerType.BY_SEX: _by_sex,
}
