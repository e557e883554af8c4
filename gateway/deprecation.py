"""Routes that will go: the table of them, and the headers that tell whoever still uses one (RFC 9745, RFC 8594)."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from email.utils import format_datetime
from typing import Any, Final

import msgspec

from gateway.upstream import Headers

SINCE: Final = "x-deprecated-since"
SUNSET: Final = "x-sunset"
INSTEAD: Final = "x-instead"


class Retirement(msgspec.Struct, frozen=True):
    """Since which day an operation is deprecated, on which it goes (if that is known), and the address to use instead.

    Days are ISO 8601, at midnight UTC.
    """

    since: str
    sunset: str = ""
    instead: str = ""


RETIRING: Final[Mapping[tuple[str, str], Retirement]] = {}
"""By method (lower case) and template. No route of STAR is deprecated today."""


def marked(operation: Mapping[str, Any], retirement: Retirement | None) -> dict[str, Any]:
    """The operation with the marks of its retirement; a mark that a service set by itself does not count."""
    kept = {name: value for name, value in operation.items() if name != "deprecated"}
    if retirement is None:
        return kept
    days = {SINCE: retirement.since, SUNSET: retirement.sunset, INSTEAD: retirement.instead}
    return {**kept, "deprecated": True, **{name: value for name, value in days.items() if value}}


def headers_of(operation: Mapping[str, Any]) -> Headers:
    """The headers of every answer of an operation, by the marks in its description; none for one that stays."""
    if not operation.get("deprecated") or SINCE not in operation:
        return ()
    found = [(b"deprecation", f"@{int(_midnight(operation[SINCE]).timestamp())}".encode())]
    if SUNSET in operation:
        found.append((b"sunset", format_datetime(_midnight(operation[SUNSET]), usegmt=True).encode()))
    if INSTEAD in operation:
        found.append((b"link", f'<{operation[INSTEAD]}>; rel="successor-version"'.encode()))
    return tuple(found)


def _midnight(day: str) -> datetime:
    return datetime.combine(datetime.fromisoformat(day).date(), time(), UTC)
