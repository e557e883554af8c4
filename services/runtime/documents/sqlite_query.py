"""Filters, orders and indexes of the documents port in SQLite's SQL; values travel as parameters only."""

from collections.abc import Callable
from typing import Any

import msgspec

from services.runtime.documents import Document, Filter, Index, Sort
from services.runtime.documents.content import check_size
from services.runtime.documents.filters import Comparison, Condition, Either, check_name, check_path, parse

_SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_TYPES = {str: "('text')", int: "('integer','real')", float: "('integer','real')", bool: "('true','false')"}
HAS_PENDING = "json_array_length(body, '$.\"pending\"') > 0"


def encode(document: Document) -> str:
    """The stored text of a document; raises ``ValueError`` when it is too large."""
    content = msgspec.json.encode(document)
    if b"\\u0000" in content or b"\\u0001" in content:
        content = msgspec.json.encode(_each_text(document, escaped))
    check_size(len(content))
    return content.decode()


def decode(body: bytes) -> Document:
    """The document of a stored text."""
    document: Document = msgspec.json.decode(body)
    if b"\\u0001" in body:
        document = _each_text(document, _unescaped)
    return document


def where_clause(where: Filter) -> tuple[str, list[Any]]:
    """The SQL condition of a filter and its parameters."""
    values: list[Any] = []
    return _condition(parse(where), values), values


def order_clause(order: Sort) -> str:
    """The SQL order of a sort."""
    return ", ".join(f"{_value(path)} {'ASC' if direction == 1 else 'DESC'}" for path, direction in order)


def table(name: str) -> str:
    """The quoted table of a collection; raises ``ValueError`` for a name outside the port's alphabet."""
    return f'"{check_name(name)}"'


def definitions(name: str, indexes: list[Index]) -> list[str]:
    """The statements that make a collection's table and indexes where they are not there yet."""
    here = table(name)
    statements = [
        f"CREATE TABLE IF NOT EXISTS {here} (id TEXT PRIMARY KEY NOT NULL, version INTEGER, body TEXT NOT NULL)",
        f'CREATE INDEX IF NOT EXISTS "{name} pending" ON {here} (id) WHERE {HAS_PENDING}',
    ]
    for index in indexes:
        statements += _index(name, index)
    return statements


def _index(name: str, index: Index) -> list[str]:
    paths = [check_path(path) for path in index.paths]
    values = [_value(path) for path in paths]
    title = " ".join([name, *paths, *["unique"] * index.unique, *["sparse"] * index.sparse])
    held = " OR ".join(f"{_type(path)} IS NOT NULL" for path in paths) if index.sparse else "1"
    only = f" WHERE {held}" if index.sparse else ""
    if not index.unique:
        return [f'CREATE INDEX IF NOT EXISTS "{title}" ON {table(name)} ({", ".join(values)}){only}']
    # True is not 1 and "[]" is not an empty list, though SQLite would extract them alike.
    kinds = [_kind(path) for path in paths]
    # To SQLite nulls differ from one another, to MongoDB they collide: rows that hold one get an index of their own.
    filled = [f"ifnull({value}, '')" for value in values]
    empty = " OR ".join(f"{value} IS NULL" for value in values)
    first = f'CREATE UNIQUE INDEX IF NOT EXISTS "{title}" ON {table(name)} ({", ".join(values + kinds)}){only}'
    second = f'CREATE UNIQUE INDEX IF NOT EXISTS "{title} null" ON {table(name)} ({", ".join(filled + kinds)})'
    return [first, f"{second} WHERE ({held}) AND ({empty})"]


def _condition(condition: Condition, values: list[Any]) -> str:
    if isinstance(condition, Comparison):
        return _comparison(condition, values)
    parts = [_condition(part, values) for part in condition.parts]
    joint = " OR " if isinstance(condition, Either) else " AND "
    return f"({joint.join(parts)})" if parts else "1"


def _comparison(comparison: Comparison, values: list[Any]) -> str:
    value, kind, operand = _value(comparison.path), _type(comparison.path), comparison.value
    match comparison.operator:
        case "$eq":
            return _equal(value, kind, operand, values)
        case "$ne":
            return f"({_equal(value, kind, operand, values)}) IS NOT TRUE"
        case "$in":
            return _among(value, kind, operand, values)
        case "$exists":
            return f"{kind} IS {'NOT NULL' if operand else 'NULL'}"
        case "$elemMatch":
            same = _equal("each.value", "each.type", operand, values)
            array = f"json_each(body, {_json_path(comparison.path)}) AS each"
            return f"({kind} = 'array' AND EXISTS (SELECT 1 FROM {array} WHERE {same}))"  # noqa: S608 - checked paths
        case _:
            sign = _SIGNS[comparison.operator]
            return f"({value} {sign} {_parameter(operand, values)} AND {kind} IN {_TYPES[type(operand)]})"


def _equal(value: str, kind: str, operand: Any, values: list[Any]) -> str:
    if operand is None:
        return f"{value} IS NULL"
    return f"({value} = {_parameter(operand, values)} AND {kind} IN {_TYPES[type(operand)]})"


def _among(value: str, kind: str, operands: list[Any], values: list[Any]) -> str:
    parts = [f"{value} IS NULL"] * (None in operands)
    for group in ((str,), (int, float), (bool,)):
        chosen = [escaped(item) if isinstance(item, str) else item for item in operands if type(item) in group]
        if chosen:
            values.append(msgspec.json.encode(chosen).decode())
            parts.append(f"({value} IN (SELECT value FROM json_each(?)) AND {kind} IN {_TYPES[group[0]]})")  # noqa: S608
    return f"({' OR '.join(parts)})" if parts else "0"


def _parameter(operand: Any, values: list[Any]) -> str:
    if isinstance(operand, float):
        # Without 80-bit floats (ARM) SQLite misreads some decimals by one unit: let it misread both sides alike.
        values.append(msgspec.json.encode(operand).decode())
        return "json_extract(?, '$')"
    values.append(escaped(operand) if isinstance(operand, str) else operand)
    return "?"


def _json_path(path: str) -> str:
    return "'$" + "".join(f'."{step}"' for step in check_path(path).split(".")) + "'"


def _value(path: str) -> str:
    return "id" if path == "_id" else f"json_extract(body, {_json_path(path)})"


def _type(path: str) -> str:
    return "'text'" if path == "_id" else f"json_type(body, {_json_path(path)})"


def _kind(path: str) -> str:
    kind = _type(path)
    return f"CASE {kind} WHEN 'real' THEN 'integer' WHEN 'false' THEN 'true' ELSE ifnull({kind}, 'null') END"


def escaped(text: str) -> str:
    """Keep NUL out of SQLite, whose JSON functions end a text there; the order of texts stays."""
    return text.replace("\1", "\1\2").replace("\0", "\1\1")


def _unescaped(text: str) -> str:
    return text.replace("\1\1", "\0").replace("\1\2", "\1")


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value
