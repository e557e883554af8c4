"""JSON Schema 2020-12 and AsyncAPI 3.0 of every event, generated from the catalogue; the committed files equal it.

A service's documents that people keep, such as receipts, have a schema beside those of the events.
"""

from typing import Any, Final

import msgspec

from contracts.catalogue import CATALOGUE, SERVICES, Entry
from contracts.events import Event

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
EXCHANGE: Final = "star.events"
ENVELOPE: Final = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes in binary mode, as AMQP application properties",
    "required": [
        "cloudEvents:specversion",
        "cloudEvents:id",
        "cloudEvents:source",
        "cloudEvents:type",
        "cloudEvents:subject",
        "cloudEvents:sequence",
        "cloudEvents:time",
    ],
    "properties": {
        "cloudEvents:specversion": {"const": "1.0"},
        "cloudEvents:id": {"type": "string", "format": "uuid"},
        "cloudEvents:source": {"type": "string", "description": "<country>/<service>"},
        "cloudEvents:type": {"type": "string"},
        "cloudEvents:subject": {"type": "string", "description": "the id of the aggregate"},
        "cloudEvents:sequence": {"type": "integer", "minimum": 1},
        "cloudEvents:time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
    },
}


def schema_name(event: type[Event]) -> str:
    """The file name of an event's schema."""
    return f"{event.type}.schema.json"


def json_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's body, references inside ``$defs``."""
    return schema_of(event, f"urn:star:event:{event.type}")


def schema_of(struct: type[msgspec.Struct], name: str) -> dict[str, Any]:
    """The JSON Schema of a struct under a name of its own (a URI), references inside ``$defs``."""
    (root,), components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    own = struct.__name__
    others = {name: part for name, part in sorted(components.items()) if name != own}
    body = components.get(own, root)
    schema = {"$schema": DIALECT, "$id": name, **body}
    whole = {**schema, "$defs": others} if others else schema
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))
    return plain


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the bus: a channel per event, a send and a receive per service that does so."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "STAR events",
            "version": "1",
            "description": "Facts that the services of one country announce on one topic exchange.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(entry) for name, entry in CATALOGUE.items()},
        "operations": dict(pair for name, entry in CATALOGUE.items() for pair in _operations(name, entry)),
        "components": {
            "messages": {name: _message(entry) for name, entry in CATALOGUE.items()},
            "schemas": {"envelope": ENVELOPE},
        },
    }


def _channel(entry: Entry) -> dict[str, Any]:
    name = entry.event.type
    return {
        "address": name,
        "description": _first_line(entry.event),
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _message(entry: Entry) -> dict[str, Any]:
    schema = json_schema(entry.event)
    definitions = schema.pop("$defs", {})
    schema.pop("$id", None)
    schema.pop("$schema", None)
    payload = {**schema, "definitions": definitions} if definitions else schema
    return {
        "name": entry.event.type,
        "title": entry.event.__name__,
        "summary": _first_line(entry.event),
        "headers": {"$ref": "#/components/schemas/envelope"},
        "payload": _moved(payload, entry.event.type),
    }


def _moved(part: Any, name: str) -> Any:
    """The schema with its local references pointing to where it stands inside the AsyncAPI document."""
    if isinstance(part, dict):
        return {key: _moved(value, name) for key, value in part.items()}
    if isinstance(part, list):
        return [_moved(value, name) for value in part]
    if isinstance(part, str) and part.startswith("#/$defs/"):
        return f"#/components/messages/{name}/payload/definitions/{part.removeprefix('#/$defs/')}"
    return part


def _operations(name: str, entry: Entry) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{name}"}
    sends = (f"{entry.emitter}-sends-{name}", {"action": "send", "channel": channel})
    heard = [service for service in SERVICES if service in entry.listeners]
    return [sends, *((f"{s}-receives-{name}", {"action": "receive", "channel": channel}) for s in heard)]


def _first_line(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().splitlines()[0]
