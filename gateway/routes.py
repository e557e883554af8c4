"""What is passed on, and to which service: the operations of the public OpenAPI document and nothing else."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

PREFIX: Final = "/api/v1/"
SERVICE_OF: Final[Mapping[str, str]] = {
    "factories": "access",
    "buyers": "access",
    "grants": "access",
    "consent-ledger": "access",
    "questionnaires": "assessment",
    "visits": "assessment",
    "imports": "assessment",
    "results": "assessment",
    "plans": "remediation",
    "training": "training",
    "reports": "reporting",
    "aggregates": "reporting",
}
METHODS: Final = ("get", "post", "put", "patch", "delete")
OWN: Final = frozenset({f"{PREFIX}openapi.json"})

_PARAMETER: Final = re.compile(r"\{[a-z_]+\}")
_ID: Final = "[A-Za-z0-9_-]{1,64}"


class Route(msgspec.Struct, frozen=True):
    """One path of the public API with the methods it knows."""

    template: str
    service: str
    methods: frozenset[str]


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
            route = Route(template, _service(template), methods)
            if "{" in template:
                parts = (re.escape(part) for part in _PARAMETER.split(template))
                self._patterns.append((re.compile(_ID.join(parts), re.ASCII), route))
            else:
                self._exact[template] = route

    def find(self, path: str) -> Route | None:
        """The route of a path as it came over the wire, ``None`` when it is not public."""
        if (exact := self._exact.get(path)) is not None:
            return exact
        return next((route for pattern, route in self._patterns if pattern.fullmatch(path)), None)


def _service(template: str) -> str:
    noun = template.removeprefix(PREFIX).partition("/")[0]
    if not template.startswith(PREFIX) or noun not in SERVICE_OF:
        raise ValueError(f"{template} belongs to no service")
    return SERVICE_OF[noun]
