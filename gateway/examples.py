"""Examples of what is sent and answered: made of the schemas, with values that look like those of a real country."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.columns import JSON

Document = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/"
_ID: Final = "0199e6f2-7c1a-7d3e-9b55-2f0a4c8d6e10"
_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_MOMENT: Final = "2026-03-02T08:30:00Z"
_DAY: Final = "2026-03-02"
_LATER: Final = "2026-12-31"
_NULL: Final = frozenset(
    {
        "action",
        "completed_at",
        "cycles",
        "delivered_at",
        "disabled_at",
        "ended_at",
        "failed_at",
        "merged_into",
        "missing",
        "next_cursor",
        "original",
        "predecessor_id",
        "problem",
        "retired_at",
        "revoked_at",
        "revoked_epoch",
        "terminated_at",
        "terminated_by",
    }
)
"""What is null, empty, or left out of most documents, and so of an example where it may be."""

_VALUES: Final[Mapping[str, object]] = {
    "accepted_by": "auth0|6613",
    "action": "Guard the needles of all machines on line 4",
    "amount": "4500.00",
    "audience": "supervisors",
    "by": "auth0|6613",
    "case": "ZT-2026-014",
    "changed_since": "WzEsWzQyLDE4LCI5Zjg2Il1d",
    "buyer_id": "0199e6f2-9d40-7b02-8c11-6a5d3e7f9b24",
    "city": "Irbid",
    "code": "OSH-12",
    "confirmed_as": "administrator",
    "content_type": "application/pdf",
    "country": "JO",
    "currency": "USD",
    "cancelled_reason": "",
    "cycle": 2,
    "decided_as": "administrator",
    "default_language": "en",
    "denominator": 120,
    "detail": "There is no such document.",
    "due_on": _LATER,
    "ends_on": _LATER,
    "expires_at": "2026-03-16T08:30:00Z",
    "factory_id": "0199e6f2-8a33-7c95-a1f0-4b7e2d9c5f68",
    "factory_name": "Yarmouk Garments",
    "form_id": "star_core",
    "formula_version": "star-rates-1",
    "import_reason": "",
    "industry": "C14",
    "key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "key_id": "k-2026-01",
    "labels": {"en": "Are the aisles free?"},
    "language": "en",
    "latitude": 32.5556,
    "lawful_basis": "consent",
    "lei": "529900T8BM49AURSDO55",
    "lines": "Al-Hassan Industrial Estate, Block 7",
    "longitude": 35.85,
    "maximum": "100",
    "message": "Please share what was found last year",
    "minimum": "0",
    "name": "Yarmouk Garments",
    "note": "Seen on the second floor",
    "numerator": 3,
    "original_id": "JO-0042",
    "os_id": "JO2019098DV1AF4",
    "owner_group": "Yarmouk Group",
    "party_role": "buyer",
    "place": "Amman",
    "postal_code": "21110",
    "purpose": "Supplier due diligence 2026",
    "rate": "2.5",
    "reason": "The aisles on the second floor are blocked",
    "reference": "INV-2026-0117",
    "refusal_reason": "",
    "requested_as": "team_leader",
    "responsible": "Head of maintenance",
    "role": "Compliance manager",
    "returned_reason": "",
    "route": "/api/v1/reports/{report_id}",
    "scope": "All findings of 2026",
    "section": "Occupational safety and health",
    "signature": "kq3Yk0oQ2Xn4o1Cq7s2fJc3mZ1rY8tQmW5bV9uA6pDw",
    "size": 48213,
    "status": 404,
    "subject": "auth0|6613",
    "tax_id": "200123456",
    "terms_version": "2026-01",
    "time_zone": "Asia/Amman",
    "title": "Not found",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "tq_name": "Fire safety",
    "type": "about:blank",
    "url": "https://buyer.example/hooks/star",
    "valid_until": _LATER,
    "value": "yes",
    "version": "2026-01",
}
"""What a property of this name holds, unless its schema says that it holds something else."""

_OF: Final[Mapping[tuple[str, str], object]] = {
    ("Buyer", "name"): "Northwind Apparel",
    ("NewBuyer", "name"): "Northwind Apparel",
    ("NewSignature", "name"): "Rana Haddad",
    ("SignatureView", "name"): "Rana Haddad",
    ("Approval", "name"): "Rana Haddad",
    ("Choice", "name"): "yes",
    ("NewTermsAcceptance", "name"): "Rana Haddad",
    ("Registrant", "name"): "Rana Haddad",
    ("Registration", "name"): "Rana Haddad",
    ("RequestResult", "status"): 201,
}


_CODES: Final[Mapping[str, tuple[str, str]]] = {
    "400": ("Malformed request", "malformed"),
    "401": ("Not authenticated", "not_authenticated"),
    "403": ("Not permitted", "not_permitted"),
    "404": ("Not found", "not_found"),
    "409": ("Refused", "no_credit"),
    "413": ("Too large", "too_large"),
    "422": ("Refused", "idempotency_key_reused"),
    "429": ("Too many requests", "too_many_requests"),
    "503": ("Not available", "consent_unknown"),
}
"""By status the title and one of the codes of a refusal."""


def with_examples(document: Document) -> Document:
    """The document with an example beside every JSON body, every JSON answer and every refusal."""
    components = document["components"]
    maker = _Maker(components["schemas"])
    paths = {
        path: {method: _shown(operation, maker) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    refusals = {name: _refusal(name, answer) for name, answer in components.get("responses", {}).items()}
    return {**document, "paths": paths, "components": {**components, "responses": refusals}}


def _refusal(name: str, answer: Document) -> Document:
    """A shared answer; one that refuses has an example of its problem."""
    status = name.removeprefix("Refused")
    if status not in _CODES:
        return answer
    title, code = _CODES[status]
    problem = {"type": "about:blank", "title": title, "status": int(status), "detail": answer["description"] + "."}
    problem |= {"code": code, "trace_id": _VALUES["trace_id"]}
    content = {media_type: {**body, "example": problem} for media_type, body in answer["content"].items()}
    return {**answer, "content": content}


def _shown(operation: Document, maker: "_Maker") -> Document:
    answers = {status: _carried(answer, maker) for status, answer in operation["responses"].items()}
    body = {"requestBody": _carried(operation["requestBody"], maker)} if "requestBody" in operation else {}
    return {**operation, **body, "responses": answers}


def _carried(carrier: Document, maker: "_Maker") -> Document:
    schema = carrier.get("content", {}).get(JSON, {}).get("schema")
    if not schema:
        return carrier
    shown = {**carrier["content"][JSON], "example": maker.example(schema)}
    return {**carrier, "content": {**carrier["content"], JSON: shown}}


class _Maker:
    """Makes the example of a schema; what refers to itself ends at its second turn."""

    def __init__(self, schemas: Mapping[str, Document]) -> None:
        self._schemas = schemas

    def example(self, schema: Document, name: str = "", inside: tuple[str, ...] = ()) -> Any:
        """A value that the schema describes, for a property of this name in a chain of named schemas."""
        if "$ref" in schema:
            about = schema["$ref"].removeprefix(_REFERENCE)
            return None if inside.count(about) > 1 else self.example(self._schemas[about], name, (*inside, about))
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        if "oneOf" in schema:
            return self._one_of(schema, name, inside)
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, name, inside)
        if kind == "array":
            return self._array(schema, name, inside)
        return self._plain(schema, name, inside)

    def _one_of(self, schema: Document, name: str, inside: tuple[str, ...]) -> Any:
        kinds = schema["oneOf"]
        if name in _NULL and {"type": "null"} in kinds:
            return None
        first = next(kind for kind in kinds if kind.get("type") != "null")
        return self.example({**{key: value for key, value in schema.items() if key != "oneOf"}, **first}, name, inside)

    def _object(self, schema: Document, name: str, inside: tuple[str, ...]) -> Any:
        if "properties" in schema:
            return {
                each: self.example(child, each, inside)
                for each, child in schema["properties"].items()
                if each in schema.get("required", ()) or each not in _NULL
            }
        known = _VALUES.get(name)
        values = schema.get("additionalProperties")
        return known if isinstance(known, dict) else {"en": self.example(values, "", inside)} if values else {}

    def _array(self, schema: Document, name: str, inside: tuple[str, ...]) -> Any:
        items = schema.get("items", {})
        is_endless = inside.count(items.get("$ref", "").removeprefix(_REFERENCE)) > 0
        if (is_endless or name in _NULL) and not schema.get("minItems"):
            return []
        return [self.example(items, name.removesuffix("s"), inside)]

    def _plain(self, schema: Document, name: str, inside: tuple[str, ...]) -> Any:
        known = _OF.get((inside[-1] if inside else "", name), _VALUES.get(name))
        match schema.get("type"):
            case "boolean":
                return False
            case "integer" | "number":
                is_number = isinstance(known, int | float) and not isinstance(known, bool)
                return known if is_number else int(schema.get("minimum", 1))
            case "string":
                return known if isinstance(known, str) and _fits(schema, known) else _text(schema, name)
            case _:
                return known


def _fits(schema: Document, text: str) -> bool:
    return schema.get("format") in {None, "date"} and len(text) <= schema.get("maxLength", len(text))


def _text(schema: Document, name: str) -> str:
    if schema.get("format") == "date-time" or name.endswith("_at") or name == "at":
        return _MOMENT
    if schema.get("format") == "date" or name.endswith("_on"):
        return _DAY
    if name == "id" or name.endswith("_id"):
        return _ID
    if name.endswith(("sha256", "hash")):
        return _DIGEST
    return name.replace("_", " ").capitalize() or "Text"
