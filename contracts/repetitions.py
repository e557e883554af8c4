"""What gateways tell access of requests that carry an ``Idempotency-Key``, so that no gateway does them twice."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from contracts.identifiers import Id
from contracts.vocabulary import ReportKind

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
"""A SHA-256 in hex: who asks, and the key, never stand here themselves."""

MOST_KEPT_BYTES: Final = 1024 * 1024
"""Of the body of an answer that is kept."""

HOURS: Final = 24
"""For so long an answer is kept."""


KEY_PATTERN: Final = r'^("[ !#-\[\]-~]{1,255}"|[A-Za-z0-9_.:~-]{1,255})$'
"""An ``Idempotency-Key``: a quoted string as the IETF draft has it, or the bare name that many clients send."""


class Outcome(StrEnum):
    """What a gateway that claims a request is to do."""

    RUN = "run"
    """Do it: nobody did, or doing it again gives the same."""

    REPEAT = "repeat"
    """Give the first answer again."""

    RUNNING = "running"
    """Refuse: it is being done just now."""

    REUSED = "reused"
    """Refuse: the key belongs to another request."""

    UNKNOWN = "unknown"
    """Refuse: it was begun, nobody knows whether it was done, and doing it again might do it twice."""


class Named(msgspec.Struct, frozen=True):
    """A factory that an answer names, and a kind of its documents that was shared with the buyer then."""

    kind: ReportKind
    factory_id: str


class KeptAnswer(msgspec.Struct, frozen=True):
    """A service's answer; ``named`` is what must still be shared with a buyer that gets it again."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    named: tuple[Named, ...] = ()


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway is about to do a request; ``attempt`` is its own id of this attempt.

    ``can_run_again`` says that the request names what it makes, so that doing it again makes nothing else.
    """

    attempt: Id
    request: Digest
    can_run_again: bool


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What access says to a claim; ``answer`` comes with ``repeat``."""

    outcome: Outcome
    answer: KeptAnswer | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt is over: with an answer to keep, or (``None``) nobody knows whether it was done.

    ``was_begun`` is false when the service certainly never heard of it.
    """

    attempt: Id
    answer: KeptAnswer | None = None
    was_begun: bool = True
