"""Refusals: each has a stable ``code`` that clients may rely on; the edge turns them into RFC 9457 problems.

Refusal
├── NotFound       404  absent, or out of scope: existence is information
├── NotPermitted   403  the role can never do this
├── Malformed      400  the request cannot be understood
├── Conflict       409  somebody else was faster; read again
└── RuleBroken     409  a rule of the programme says no
"""

from typing import ClassVar, Final

import msgspec


class Refusal(Exception):
    """A request that STAR understood and declines."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "refused"


NOT_THERE: Final = "There is no such document."
"""What each 404 on a path with an id says: what is absent and what is out of scope are not to be told apart."""


class NotFound(Refusal):
    """There is nothing here that the caller may see."""

    status = 404
    code = "not_found"


class NotPermitted(Refusal):
    """The caller's roles never allow this."""

    status = 403
    code = "not_permitted"


class Malformed(Refusal):
    """The request cannot be understood as it stands."""

    status = 400
    code = "malformed"


class Conflict(Refusal):
    """The document changed in between, or the id is taken by another content."""

    code = "conflict"


class RuleBroken(Refusal):
    """A rule of the programme refuses the step; subclasses name the rule."""

    code = "rule_broken"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem: ``code`` is stable, ``trace_id`` finds the request in the traces."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str
    trace_id: str = ""
