"""One public OpenAPI document out of the services' own: a pure function, the same bytes for the same input."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.deprecation import RETIRING, Retirement, marked
from gateway.examples import with_examples
from gateway.habits import PORTFOLIO, with_habits
from gateway.mending import mended
from gateway.routes import METHODS, PREFIX

Document = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/"
_PROBLEM: Final = "Problem"
_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is stable; `trace_id` finds the request in the traces.",
    "properties": {
        "type": {"type": "string", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "trace_id": {"type": "string"},
    },
    "required": ["title", "status", "code"],
}
_DESCRIPTION: Final = (
    "Assess, remediate, train, and share only what the factory approved. Refusals are RFC 9457 problems; lists are "
    "pages of `items` with a `next_cursor`, as JSON or as CSV. What can be read may be kept and asked about again with "
    "its `ETag`, also by HEAD. Text is compressed with gzip for whoever prefers it."
)
_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": (
        "An OIDC access token with the claims `star_roles` and, for factories and buyers, `star_party`: the id of the "
        "party, or a list when the person speaks for several; then the request says for which in `Star-Party: <id>` "
        "(400 `party_needed`, 403 `not_your_party`). Who has a role of the programme besides acts for the programme, "
        "and with `Star-Party` for that party alone; who has roles of several kinds of party has each bound to its "
        "party, as in `buyer:b1` (403 `party_role_needed`, without any party 403 `no_party`). A token that is bound to "
        "a key (`cnf.jkt`) comes as `Authorization: DPoP <token>` with a proof in `DPoP` (RFC 9449), one that is bound "
        "to a certificate (`cnf.x5t#S256`) over mTLS (RFC 8705). A buyer that keeps its staff by SCIM (`/scim/v2/`, "
        "RFC 7644) lets in nobody else (403 `not_a_member`)."
    ),
}
_ABOUT: Final = {
    "access": "Factories, buyers, and what factories share with buyers.",
    "assessment": "Questionnaires, visits, answers, evidence and imported results.",
    "remediation": "Improvement plans.",
    "training": "Courses and recommendations.",
    "reporting": "Reports and aggregates.",
}


def merge(
    documents: Mapping[str, Mapping[str, Any]],
    *,
    version: str = "1",
    retiring: Mapping[tuple[str, str], Retirement] = RETIRING,
) -> Document:
    """The public document from the services' documents by service name.

    Only paths below ``/api/v1/`` are public. A schema name that means different things in two services gets the
    service's name in front. Raises ``ValueError`` when two services claim the same path.
    """
    documents = {service: mended(document) for service, document in documents.items()}
    renamed = _schema_names(documents)
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {_PROBLEM: _PROBLEM_SCHEMA}
    for service in sorted(documents):
        names = renamed[service]
        document: Document = _with_references(documents[service], names)
        for path, operations in document["paths"].items():
            if not path.startswith(PREFIX):
                continue
            if path in paths:
                raise ValueError(f"{path} is claimed by two services")
            paths[path] = {
                method: marked(_operation(service, method, path, operation), retiring.get((method, path)))
                for method, operation in operations.items()
                if method in METHODS
            }
        schemas |= _titled(document, names)
    paths |= {path: {"get": operation} for path, operation in _own().items()}
    used = {name: schemas[name] for name in sorted({_PROBLEM} | _reachable(paths, schemas))}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "STAR", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/", "description": "The gateway of a country"}],
        "security": [{"bearer": []}],
        "tags": [{"name": service, "description": _ABOUT.get(service, "")} for service in sorted(documents)],
        "paths": dict(sorted(paths.items())),
        "components": {"securitySchemes": {"bearer": _BEARER}, "schemas": used},
    }
    return with_examples(with_habits(document))


def _titled(document: Document, names: Mapping[str, str]) -> Document:
    """A service's schemas under their public names, and titled so."""
    return {
        names[name]: schema | ({"title": names[name]} if "title" in schema and names[name] != name else {})
        for name, schema in document.get("components", {}).get("schemas", {}).items()
    }


def _own() -> Document:
    """The gateway's own operations by path."""
    answer = {"200": {"description": "The OpenAPI document", "content": {"application/json": {"schema": {}}}}}
    document = {"tags": ["gateway"], "summary": "This document", "security": [], "responses": answer}
    portfolio = _operation("gateway", "get", f"{PREFIX}portfolio", PORTFOLIO)
    return {f"{PREFIX}openapi.json": {**document, "operationId": "ReadOpenApi"}, f"{PREFIX}portfolio": portfolio}


def _operation(service: str, method: str, path: str, operation: Mapping[str, Any]) -> Document:
    """One operation with its service as the tag, a unique id, and every way it can succeed."""
    answers = {status: answer for status, answer in operation["responses"].items() if int(status) < 400}
    found = {**operation, "tags": [service], "responses": answers}
    found["operationId"] = f"{service}-{operation.get('operationId') or f'{method}-{path}'}"
    return found


def _schema_names(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """The public name of each service's schemas: its own, unless two services mean different things by it."""
    schemas = {service: document.get("components", {}).get("schemas", {}) for service, document in documents.items()}
    names = {name for found in schemas.values() for name in found}
    ambiguous = {_PROBLEM} & names
    growing = True
    while growing:
        more = {name for name in names - ambiguous if _differs(name, schemas, ambiguous)}
        ambiguous |= more
        growing = bool(more)
    return {
        service: {name: f"{service.capitalize()}{name}" if name in ambiguous else name for name in found}
        for service, found in schemas.items()
    }


def _differs(name: str, schemas: Mapping[str, Mapping[str, Any]], ambiguous: set[str]) -> bool:
    """Whether services that use the name mean different things, also by what it refers to."""
    meanings = [found[name] for found in schemas.values() if name in found]
    if any(meaning != meanings[0] for meaning in meanings):
        return True
    return len(meanings) > 1 and bool(_references(meanings[0]) & ambiguous)


def _with_references(value: Any, names: Mapping[str, str]) -> Any:
    """A copy in which every reference uses the public names."""
    if isinstance(value, Mapping):
        copied = {key: _with_references(child, names) for key, child in value.items()}
        reference = copied.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            copied["$ref"] = _REFERENCE + names[reference.removeprefix(_REFERENCE)]
        return copied
    if isinstance(value, list | tuple):
        return [_with_references(child, names) for child in value]
    return value


def _references(value: Any) -> set[str]:
    """The names of the schemas that something refers to."""
    found = (node.get("$ref") for node in _nodes(value))
    return {name.removeprefix(_REFERENCE) for name in found if isinstance(name, str)}


def _reachable(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    """The schemas that the public paths need."""
    needed: set[str] = set()
    waiting = _references(paths)
    while waiting:
        needed |= waiting
        waiting = {name for known in waiting for name in _references(schemas[known])} - needed
    return needed


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from _nodes(child)
