"""Events, schemas, examples and the catalogue agree with one another."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

import contracts
from contracts import access, assessment, remediation, reporting, sharing, training
from contracts.catalogue import CATALOGUE, SERVICES, Entry, _catalogue
from contracts.events import Event
from contracts.schema import asyncapi, json_schema, schema_name
from deploy.schemas import RECEIPTS
from tests.contracts.growth import broken_promises

FOLDER = Path(contracts.__file__).parent
EXAMPLES = sorted((FOLDER / "examples").glob("*/*.json"))
SCHEMAS = sorted((FOLDER / "schemas").glob("*.json"))
NAMES = sorted(CATALOGUE)


def event_classes() -> set[type[Event]]:
    modules = (access, assessment, remediation, reporting, sharing, training)
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Event) and value is not Event
    }


def test_every_event_class_is_in_the_catalogue() -> None:
    assert {entry.event for entry in CATALOGUE.values()} == event_classes()


@pytest.mark.parametrize("name", NAMES)
def test_a_wire_name_says_service_noun_participle_and_version(name: str) -> None:
    service, *_ = name.split(".")
    assert re.fullmatch(r"[a-z]+\.[a-z-]+\.[a-z-]+\.v\d+", name)
    assert service == CATALOGUE[name].emitter
    assert set(CATALOGUE[name].listeners) <= set(SERVICES)
    assert CATALOGUE[name].event.__name__.endswith(f"V{name.rpartition('.v')[2]}")


def test_a_wire_name_cannot_be_used_twice() -> None:
    entry = Entry(access.BuyerRegisteredV1, "access")
    with pytest.raises(ValueError, match="used twice"):
        _catalogue(entry, entry)


def test_a_service_cannot_announce_the_event_of_another() -> None:
    with pytest.raises(ValueError, match="not training's"):
        _catalogue(Entry(access.BuyerRegisteredV1, "training"))


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_schema_equals_the_class(name: str) -> None:
    event = CATALOGUE[name].event
    committed = msgspec.json.decode((FOLDER / "schemas" / schema_name(event)).read_bytes())
    assert committed == json_schema(event), "run make schemas"


def test_no_schema_is_left_of_an_event_that_is_gone() -> None:
    receipts = {f"{name}.schema.json" for name in RECEIPTS}
    assert {path.name for path in SCHEMAS} - receipts == {schema_name(entry.event) for entry in CATALOGUE.values()}


@pytest.mark.parametrize("name", NAMES)
def test_every_event_has_a_minimal_and_a_full_example(name: str) -> None:
    assert {path.name for path in EXAMPLES if path.parent.name == name} == {"minimal.json", "full.json"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_example_fits_its_schema_and_its_class(path: Path) -> None:
    event = CATALOGUE[path.parent.name].event
    body = msgspec.json.decode(path.read_bytes())
    jsonschema.Draft202012Validator(json_schema(event)).validate(body)
    decoded = msgspec.json.decode(path.read_bytes(), type=event)
    if path.stem == "full":
        assert msgspec.json.decode(msgspec.json.encode(decoded)) == body
    else:
        required = {field.name for field in msgspec.structs.fields(event) if field.required}
        assert set(body) == required


def test_the_asyncapi_document_names_every_sender_and_receiver() -> None:
    operations = asyncapi()["operations"]
    expected = {f"{entry.emitter}-sends-{name}" for name, entry in CATALOGUE.items()}
    expected |= {f"{s}-receives-{name}" for name, entry in CATALOGUE.items() for s in entry.listeners}
    assert set(operations) == expected
    assert msgspec.json.decode((FOLDER / "asyncapi.json").read_bytes()) == asyncapi(), "run make schemas"


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()

    def references(part: object) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [ref for value in part.values() for ref in references(value)]
        if isinstance(part, list):
            return [ref for value in part for ref in references(value)]
        return []

    for reference in references(document):
        target: object = document
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(target, dict)
            assert step in target, reference
            target = target[step]


BASE: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["id"],
}


@pytest.mark.parametrize(
    ("changed", "promise"),
    [
        ({**BASE, "properties": {"id": {"type": "string"}}}, "removed"),
        ({**BASE, "required": ["id", "n"]}, "became required"),
        ({**BASE, "required": []}, "no longer required"),
        ({**BASE, "properties": {**BASE["properties"], "n": {"type": "string"}}}, "type"),
        ({**BASE, "properties": {**BASE["properties"], "id": {"type": "string", "pattern": "x"}}}, "pattern"),
        ({**BASE, "properties": {**BASE["properties"], "id": {"enum": ["a"]}}}, "enum"),
    ],
)
def test_a_released_event_only_grows(changed: dict[str, object], promise: str) -> None:
    assert any(promise in broken for broken in broken_promises(BASE, changed))


def test_a_new_optional_field_breaks_no_promise() -> None:
    grown = {**BASE, "properties": {**BASE["properties"], "new": {"type": "string", "default": ""}}}
    assert broken_promises(BASE, grown) == []
