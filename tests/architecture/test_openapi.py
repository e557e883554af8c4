"""The committed description is one that a buyer's engineer can work with: valid, well named, and with examples."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from jsonschema import Draft202012Validator

import contracts

DOCUMENT: Any = json.loads((Path(contracts.__file__).parent / "openapi.json").read_bytes())
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS)
COMPONENTS = [
    pytest.param(name, schema, id=f"{kind}/{name}")
    for kind, named in DOCUMENT["components"].items()
    for name, schema in named.items()
]


def content(operation: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every form of the body and of the answers, with its media type."""
    carriers = [operation.get("requestBody", {}), *operation["responses"].values()]
    for carrier in carriers:
        told = DOCUMENT["components"]["responses"][carrier["$ref"].rpartition("/")[2]] if "$ref" in carrier else carrier
        yield from told.get("content", {}).items()


def test_the_description_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@pytest.mark.parametrize(("name", "component"), COMPONENTS)
def test_a_component_is_named_for_its_readers_and_not_after_a_module(name: str, component: Any) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name)
    assert "." not in component.get("title", "")


@EVERY_OPERATION
def test_an_operation_says_in_a_sentence_what_it_does(operation: Any) -> None:
    assert " " in operation["summary"]


@EVERY_OPERATION
def test_a_refusal_is_a_problem(operation: Any) -> None:
    if operation.get("security") == []:
        return
    refusals = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
    assert {"400", "401", "403", "404"} <= refusals.keys()
    for answer in refusals.values():
        shared = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        assert set(shared["content"]) == {"application/problem+json"}


@EVERY_OPERATION
def test_a_file_is_bytes_of_a_type_that_is_named(operation: Any) -> None:
    for media_type, body in content(operation):
        assert "*" not in media_type
        if not re.match(r"text/|application/(json|problem\+json|x-ndjson)", media_type):
            assert body["schema"] == {"type": "string", "format": "binary"}


@EVERY_OPERATION
def test_what_is_sent_and_answered_has_an_example_that_its_schema_takes(operation: Any) -> None:
    for media_type, body in content(operation):
        if "json" not in media_type or body["schema"] in ({}, {"type": "string"}):
            continue
        schema = {**body["schema"], "components": DOCUMENT["components"]}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        validator.validate(body["example"])


def test_no_list_has_items_of_any_type_at_all() -> None:
    def nodes(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield value
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from nodes(child)

    assert not [node for node in nodes(DOCUMENT["components"]["schemas"]) if {} in node.get("oneOf", ())]


def test_the_same_thing_has_one_name() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    enums = [json.dumps(schema["enum"]) for schema in schemas.values() if "enum" in schema]
    assert len(enums) == len(set(enums))
