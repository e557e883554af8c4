"""A service with a list, and the OpenAPI document that describes it."""

from typing import Any

from tests.gateway.running import DOCUMENT

SCHEMAS: dict[str, Any] = {
    "Page": {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
            "next_cursor": {"oneOf": [{"type": "string"}, {"type": "null"}]},
        },
    },
    "Item": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "place": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Place"}]},
            "kinds": {"type": "array", "items": {"type": "string"}},
            "titles": {"type": "object", "additionalProperties": {"type": "string"}},
            "count": {"type": "integer"},
            "is_open": {"type": "boolean"},
            "parent": {"$ref": "#/components/schemas/Item"},
        },
    },
    "Place": {"type": "object", "properties": {"city": {"type": "string"}, "street": {"type": "string"}}},
}
PAGE = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}}}
LISTING: dict[str, Any] = {
    "paths": {**DOCUMENT["paths"], "/api/v1/reports": {"get": {"responses": PAGE}}},
    "components": {"schemas": SCHEMAS},
}
HEADER = "id,place.city,place.street,kinds,titles,count,is_open,parent"
