"""Lists as tables: the columns come from the OpenAPI document, so that they never depend on what is in a page.

A nested object becomes one column per property, named with dots. A list, a map, or anything whose shape is left open
is one column that holds JSON. Null is an empty cell. Text that a spreadsheet would run as a formula gets an
apostrophe in front. Rows end in CR LF, quoting is that of RFC 4180, the encoding is UTF-8, the first row names the
columns. What a list tells beside its items goes into a header, as a table has no place for it.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

CSV: Final = b"text/csv; charset=utf-8; header=present"
JSON: Final = "application/json"

_REFERENCE: Final = "#/components/schemas/"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_PAGE: Final = frozenset({"items", "next_cursor"})

Path = tuple[str, ...]


class PageEnd(msgspec.Struct):
    """The one thing of a list that is needed to go on; the rest is skipped unread."""

    next_cursor: str | None = None


class _Page(msgspec.Struct):
    items: list[dict[str, Any]]


def columns_of(document: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[Path, ...] | None:
    """The columns of an operation that answers a list (an object with ``items``), ``None`` for any other one."""
    properties, schemas = _answered(document, operation)
    if not _is_list(properties):
        return None
    return tuple(_leaves(properties["items"].get("items", {}), schemas, (), frozenset()))


def beside_of(document: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what an operation that answers a list tells beside its items and the way on."""
    properties, _ = _answered(document, operation)
    return tuple(name for name in properties if name not in _PAGE) if _is_list(properties) else ()


def beside(names: Sequence[str], page: bytes) -> bytes:
    """What a page tells under these names, as a JSON object in ASCII; raises ``msgspec.DecodeError``."""
    told = msgspec.json.decode(page, type=dict[str, msgspec.Raw])
    return json.dumps({name: msgspec.json.decode(told[name]) for name in names if name in told}).encode()


def _is_list(properties: Mapping[str, Any]) -> bool:
    return bool(properties.get("items", {}).get("type") == "array")


def _answered(document: Mapping[str, Any], operation: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The properties of what an operation answers, and the schemas of the document."""
    schemas: Mapping[str, Any] = document.get("components", {}).get("schemas", {})
    content = operation.get("responses", {}).get("200", {}).get("content", {})
    return resolved(content.get(JSON, {}).get("schema", {}), schemas).get("properties", {}), schemas


def resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind references and "or null"; empty for one that is nothing but itself."""
    return _resolved(schema, schemas, frozenset())[0]


def table(columns: Sequence[Path], page: bytes) -> bytes:
    """The items of a page as CSV; raises ``msgspec.DecodeError`` for what is no page."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([".".join(path) for path in columns])
    for item in msgspec.json.decode(page, type=_Page).items:
        writer.writerow([_cell(_value(item, path)) for path in columns])
    return text.getvalue().encode()


def safe(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _leaves(schema: Mapping[str, Any], schemas: Mapping[str, Any], path: Path, above: frozenset[str]) -> Iterator[Path]:
    """The paths of a schema's values in the order of its properties; what contains itself stays whole."""
    found, names = _resolved(schema, schemas, above)
    properties = found.get("properties")
    if not properties:
        yield path
        return
    for name, child in properties.items():
        yield from _leaves(child, schemas, (*path, name), names)


def _resolved(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], above: frozenset[str]
) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The schema behind references and "or null", with the names on the way; empty for one that contains itself."""
    names = above
    while True:
        choices = [each for each in schema.get("oneOf", schema.get("anyOf", ())) if each.get("type") != "null"]
        name = str(schema.get("$ref", "")).removeprefix(_REFERENCE)
        if len(choices) == 1:
            schema = choices[0]
        elif name in names:
            return {}, names
        elif name:
            schema, names = schemas[name], names | {name}
        else:
            return schema, names


def _value(item: Mapping[str, Any], path: Path) -> Any:
    value: Any = item
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return safe(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return msgspec.json.encode(value).decode()
