"""What is passed on, and to which service: the operations of the public OpenAPI document, SCIM, and nothing else."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.columns import JSON, Path, beside_of, columns_of, resolved
from gateway.deprecation import headers_of
from gateway.upstream import Headers

PREFIX: Final = "/api/v1/"
SERVICE_OF: Final[Mapping[str, str]] = {
    "factories": "access",
    "factory-directory": "access",
    "organisations": "access",
    "terms": "access",
    "terms-acceptances": "access",
    "buyers": "access",
    "changes": "access",
    "access-requests": "access",
    "agreements": "access",
    "consent-documents": "access",
    "access-request-answers": "access",
    "grants": "access",
    "consent-ledger": "access",
    "entitlements": "access",
    "disclosures": "access",
    "notices": "access",
    "purchases": "access",
    "statement": "access",
    "reads": "access",
    "webhooks": "access",
    "questionnaires": "assessment",
    "visits": "assessment",
    "imports": "assessment",
    "results": "assessment",
    "plans": "remediation",
    "training": "training",
    "reports": "reporting",
    "aggregates": "reporting",
}
SCIM: Final = "/scim/v2/"
_OF_DIRECTORIES: Final[Mapping[str, frozenset[str]]] = {
    f"{SCIM}ServiceProviderConfig": frozenset({"GET"}),
    f"{SCIM}ResourceTypes": frozenset({"GET"}),
    f"{SCIM}ResourceTypes/User": frozenset({"GET"}),
    f"{SCIM}Schemas": frozenset({"GET"}),
    f"{SCIM}Schemas/urn:ietf:params:scim:schemas:core:2.0:User": frozenset({"GET"}),
    f"{SCIM}.search": frozenset({"POST"}),
    f"{SCIM}Users/.search": frozenset({"POST"}),
    f"{SCIM}Users": frozenset({"GET", "POST"}),
    f"{SCIM}Users/{{user_id}}": frozenset({"GET", "PUT", "PATCH", "DELETE"}),
}
"""What a buyer's directory may ask (RFC 7644), which describes itself and not in the OpenAPI document."""

METHODS: Final = ("get", "post", "put", "patch", "delete")
OWN: Final = frozenset({f"{PREFIX}openapi.json", f"{PREFIX}portfolio"})

_PARAMETER: Final = re.compile(r"\{[a-z_]+\}")
_ID: Final = "[A-Za-z0-9_-]{1,64}"


class Route(msgspec.Struct, frozen=True):
    """One path of the public API with the methods it knows.

    ``columns`` are those of the list that it reads, ``beside`` names what the list tells beside its items,
    ``client_id`` says where a caller may name what POST makes (``body``, ``query`` or nowhere), ``retiring`` are the
    headers that tell of deprecation, by method.
    """

    template: str
    service: str
    methods: frozenset[str]
    columns: tuple[Path, ...] | None = None
    client_id: str = ""
    retiring: Mapping[str, Headers] = {}
    beside: tuple[str, ...] = ()


class Routes:
    """The table of paths.

    NOTE: paths are matched as they came over the wire, undecoded. An id holds letters, digits, ``_`` and ``-``, so a
    percent sign, a semicolon, a dot or an empty segment matches nothing, and what matches means the same everywhere.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read the table from an OpenAPI document; raises ``ValueError`` for a path that is no service's."""
        self._exact: dict[str, Route] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for template, operations in document["paths"].items():
            if template in OWN:
                continue
            methods = frozenset(method.upper() for method in METHODS if method in operations)
            methods |= {"HEAD"} if "GET" in methods else set()
            reading = operations.get("get", {})
            columns, told = columns_of(document, reading), beside_of(document, reading)
            retiring = {method.upper(): headers_of(each) for method, each in operations.items() if method in METHODS}
            retiring["HEAD"] = retiring.get("GET", ())
            client_id = _client_id(document, operations)
            route = Route(template, _service(template), methods, columns, client_id, retiring, told)
            self._add(route)
        for template, methods in _OF_DIRECTORIES.items():
            self._add(Route(template, "access", methods))

    def find(self, path: str) -> Route | None:
        """The route of a path as it came over the wire, ``None`` when it is not public."""
        if (exact := self._exact.get(path)) is not None:
            return exact
        return next((route for pattern, route in self._patterns if pattern.fullmatch(path)), None)

    def _add(self, route: Route) -> None:
        if "{" in route.template:
            parts = (re.escape(part) for part in _PARAMETER.split(route.template))
            self._patterns.append((re.compile(_ID.join(parts), re.ASCII), route))
        else:
            self._exact[route.template] = route


def _service(template: str) -> str:
    noun = template.removeprefix(PREFIX).partition("/")[0]
    if not template.startswith(PREFIX) or noun not in SERVICE_OF:
        raise ValueError(f"{template} belongs to no service")
    return SERVICE_OF[noun]


def _client_id(document: Mapping[str, Any], operations: Mapping[str, Any]) -> str:
    """Where the caller may name what a POST makes: in ``id`` of the JSON body, in ``id`` of the query, or nowhere."""
    operation = operations.get("post", {})
    if any(each.get("name") == "id" and each.get("in") == "query" for each in operation.get("parameters", ())):
        return "query"
    content = operation.get("requestBody", {}).get("content", {})
    body = resolved(content.get(JSON, {}).get("schema", {}), document.get("components", {}).get("schemas", {}))
    return "body" if "id" in body.get("properties", {}) else ""
