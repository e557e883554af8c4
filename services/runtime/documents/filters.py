"""The filter language of the documents port, read once and refused alike by every adapter."""

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from services.runtime.documents.content import check_scalar

Operator = Literal["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$exists", "$elemMatch"]
OPERATORS = frozenset(get_args(Operator))

# A step of digits alone would be an array position to MongoDB and a key to SQLite.
_STEP = r"(?![0-9]+(?:\.|\Z))[A-Za-z0-9_:/@-]+"
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")


class Comparison(msgspec.Struct, frozen=True):
    """One operator on one path; ``$elemMatch`` holds the bare scalar, ``$in`` a list of them."""

    path: str
    operator: Operator
    value: Any


class Every(msgspec.Struct, frozen=True):
    """All the parts hold; with no part, true."""

    parts: "tuple[Condition, ...]"


class Either(msgspec.Struct, frozen=True):
    """At least one of the parts holds."""

    parts: "tuple[Condition, ...]"


Condition = Comparison | Every | Either


def check_path(path: object) -> str:
    """Give the path back if every adapter can follow it; raises ``ValueError``."""
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a dotted path of keys.")
    return path


def check_name(name: str) -> str:
    """Give the name of a collection back if every adapter can hold one; raises ``ValueError``."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,59}", name):
        raise ValueError(f"{name!r} cannot name a collection.")
    return name


def parse(where: object) -> Condition:
    """Read a filter; raises ``ValueError`` for anything outside the language."""
    if not isinstance(where, Mapping):
        raise ValueError("A filter is an object.")  # noqa: TRY004 - callers are promised ValueError for any bad filter
    parts: list[Condition] = []
    for key, value in where.items():
        if key == "$and":
            parts.append(Every(_alternatives(key, value)))
        elif key == "$or":
            parts.append(Either(_alternatives(key, value)))
        else:
            parts += _comparisons(check_path(key), value)
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def _alternatives(key: str, value: object) -> tuple[Condition, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{key} takes a non-empty list of filters.")
    return tuple(parse(part) for part in value)


def _comparisons(path: str, value: object) -> list[Comparison]:
    if not isinstance(value, Mapping):
        check_scalar(value)
        return [Comparison(path, "$eq", value)]
    if not value:
        raise ValueError(f"The condition on {path} is empty.")
    return [_comparison(path, operator, operand) for operator, operand in value.items()]


def _comparison(path: str, operator: Any, operand: Any) -> Comparison:
    if operator not in OPERATORS:
        raise ValueError(f"{operator!r} is not an operator of the documents port.")
    if operator == "$elemMatch":
        if not isinstance(operand, Mapping) or set(operand) != {"$eq"}:
            raise ValueError('$elemMatch takes exactly {"$eq": scalar}.')
        operand = operand["$eq"]
    _check_operand(operator, operand)
    return Comparison(path, operator, operand)


def _check_operand(operator: Operator, operand: Any) -> None:
    if operator == "$in":
        if not isinstance(operand, list | tuple):
            raise ValueError("$in takes a list of scalars.")
        for item in operand:
            check_scalar(item)
    elif operator == "$exists":
        if not isinstance(operand, bool):
            raise ValueError("$exists takes true or false.")
    else:
        check_scalar(operand)
        if operand is None and operator not in ("$eq", "$ne", "$elemMatch"):
            raise ValueError(f"{operator} does not compare with null.")
