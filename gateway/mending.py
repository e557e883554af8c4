"""Mends what the generator of the services' documents gets wrong, so that the public one can be believed.

The generator names a generic class after the module of its argument, invents examples of random letters, writes "or
anything" beside the type of a list's items, puts the default of one property on the type it shares with others, keeps
the indentation of docstrings, and says of a file that it is text.
"""

import re
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Final

Document = dict[str, Any]

_GENERIC: Final = re.compile(r"(#/components/schemas/|)([A-Za-z0-9]+)_(?:\w+\.)*([A-Za-z0-9]+)_")
_TEXT: Final = re.compile(r"(text/.*|application/(.*\+|x-nd)?json)(;.*)?")
_BINARY: Final = {"type": "string", "format": "binary"}
_NAMES: Final = "properties"


def mended(document: Mapping[str, Any]) -> Document:
    """The document without those faults; raises ``ValueError`` when two of its schemas would have one name."""
    paths = {
        path: {method: _operation(operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    components = document.get("components", {})
    schemas = {_plain(name): _shared(name, schema) for name, schema in components.get("schemas", {}).items()}
    if len(schemas) < len(components.get("schemas", {})):
        raise ValueError(f"two schemas have one name: {', '.join(components['schemas'])}")
    return {**document, "paths": paths, "components": {**components, "schemas": schemas}}


def _plain(name: str) -> str:
    """The name of a schema, or a reference, without the module of the class that a generic one is about."""
    generic = _GENERIC.fullmatch(name)
    return generic[1] + generic[3] + generic[2] if generic else name


def _operation(operation: Any) -> Any:
    if not isinstance(operation, Mapping):
        return operation
    found = _mended(operation)
    first, _, more = found.get("description", "").partition("\n\n")
    if first and " " not in found.get("summary", ""):  # else the handler says it itself
        found["summary"], found["description"] = _sentence(first), more.strip()
    found = {key: value for key, value in found.items() if key != "description" or value}
    if "requestBody" in found:
        found["requestBody"] = _with_content(found["requestBody"])
    answers = found.get("responses", {})
    return {**found, "responses": {status: _with_content(answer) for status, answer in answers.items()}}


def _sentence(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")


def _with_content(carrier: Document) -> Document:
    """A body or an answer, in which a file is bytes and a text is text."""
    content = {media_type: _file(media_type, body) for media_type, body in carrier.get("content", {}).items()}
    return {**carrier, "content": content} if content else carrier


def _file(media_type: str, body: Document) -> Document:
    schema = body.get("schema", {})
    if _TEXT.fullmatch(media_type) is None:
        return {**body, "schema": _BINARY} if schema in ({}, {"type": "string"}) else body
    return body if schema or "json" in media_type else {**body, "schema": {"type": "string"}}


def _shared(name: str, schema: Document) -> Document:
    """A schema that others refer to, without the default of one of them."""
    found = {key: value for key, value in _mended(schema).items() if key != "default"}
    return found if _plain(name) == name else {**found, "title": _plain(name)}


def _mended(node: Any) -> Any:
    if isinstance(node, list | tuple):
        return [_mended(child) for child in node]
    if not isinstance(node, Mapping):
        return node
    found: Document = {
        key: {name: _mended(child) for name, child in value.items()} if key == _NAMES else _mended(value)
        for key, value in node.items()
        if key != "examples"
    }
    if isinstance(found.get("$ref"), str):
        found["$ref"] = _plain(found["$ref"])
    if isinstance(found.get("description"), str):
        found["description"] = cleandoc(found["description"])
    kinds = found.get("oneOf")
    if not kinds or {} not in kinds:
        return found
    said = [kind for kind in kinds if kind]
    rest = {key: value for key, value in found.items() if key != "oneOf"}
    return {**rest, **said[0]} if len(said) == 1 else {**rest, "oneOf": said}
