"""Webhooks by the Standard Webhooks specification: endpoints, messages, signatures and when to try again; no I/O."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import RuleBroken
from contracts.visibility import Cycles
from contracts.vocabulary import ReportKind
from services.access.domain.sharing import Point, SharedDocument, Sight

BOTH_KEYS_FOR: Final = timedelta(hours=24)
"""For so long after a rotation messages are signed by the key before as well."""

MOST_PREVIOUS_KEYS: Final = 4
"""So many keys that were replaced sign beside the present one; another rotation has to wait."""

DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long to wait before each attempt: together a little more than three days."""

TRIED_FOR: Final = timedelta(days=4)
"""A message that failed for so long is not tried again, however few attempts the pauses have left it."""

LONGEST_PAUSE: Final = timedelta(hours=24)
"""A receiver that asks to be left alone for longer is asked again after this time."""


_NO_CYCLE: Final[frozenset[int]] = frozenset()


class Scheme(StrEnum):
    """How messages are signed: by a shared secret (HMAC-SHA256), or by a key of ours alone (Ed25519)."""

    V1 = "v1"
    V1A = "v1a"


class MessageType(StrEnum):
    """What a message tells."""

    DOCUMENT_CHANGED = "document.changed"
    SHARING_BEGAN = "sharing.began"
    SHARING_ENDED = "sharing.ended"
    SYNC_NEEDED = "sync.needed"


CHOSEN: Final = (MessageType.DOCUMENT_CHANGED, MessageType.SHARING_BEGAN, MessageType.SHARING_ENDED)
"""What an endpoint may choose among; that it has to read the changes feed is told to every one."""


class Key(msgspec.Struct, frozen=True):
    """The key of an endpoint, 32 bytes in base64; it does not show itself."""

    scheme: Scheme
    seed: str

    def __repr__(self) -> str:
        return f"Key({self.scheme}, …)"

    @property
    def shown(self) -> str:
        """What the receiver checks with: the shared secret, or the public half of the key."""
        if self.scheme is Scheme.V1:
            return f"whsec_{self.seed}"
        return f"whpk_{_text(self._private().public_key().public_bytes_raw())}"

    def signature(self, content: bytes) -> str:
        """The signature of some content, with its scheme."""
        if self.scheme is Scheme.V1:
            made = hmac.new(base64.b64decode(self.seed), content, hashlib.sha256).digest()
        else:
            made = self._private().sign(content)
        return f"{self.scheme},{_text(made)}"

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(self.seed))


class TooManyWebhooks(RuleBroken):
    """A buyer has as many endpoints as it may."""

    code = "too_many_webhooks"


class TooManyRotations(RuleBroken):
    """As many keys as may were replaced within a day: dropping one might cut off what the receivers hold."""

    code = "too_many_rotations"


class PreviousKey(msgspec.Struct, frozen=True):
    """A key that was replaced, and until when it signs beside the present one."""

    key: Key
    until: datetime


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a buyer wants its messages, as the subject ``registered_by`` has said.

    Everything up to ``since`` has become a message; what stands between it and ``until`` is just becoming one.
    """

    id: str
    buyer_id: str
    url: str
    types: tuple[MessageType, ...]
    key: Key
    created_at: datetime
    registered_by: str = ""
    since: Point
    until: Point | None = None
    previous: tuple[PreviousKey, ...] = ()
    is_enabled: bool = True
    disabled_at: datetime | None = None
    disabled_because: str = ""
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""
    paused_until: datetime | None = None

    def rotated(self, key: Key, *, now: datetime) -> "Endpoint":
        """With another key; the present one goes on for a day beside it, like every one before it.

        So a rotation may be repeated when its answer was lost. Raises ``TooManyRotations``.
        """
        previous = tuple(each for each in self.previous if now < each.until)
        if len(previous) == MOST_PREVIOUS_KEYS:
            raise TooManyRotations(f"Rotate again after {previous[0].until.isoformat()}.")
        previous = (*previous, PreviousKey(self.key, now + BOTH_KEYS_FOR))
        return msgspec.structs.replace(self, key=key, previous=previous, paused_until=None)

    def failed(self, why: str, *, now: datetime, pause: timedelta | None) -> "Endpoint":
        """Noting that a message failed; left alone for as long as it asked for."""
        fields: dict[str, object] = {"failed_at": now, "failure": why}
        if pause is not None:
            fields["paused_until"] = now + min(pause, LONGEST_PAUSE)
        return msgspec.structs.replace(self, **fields)

    def resumed(self) -> "Endpoint":
        """No longer left alone."""
        return msgspec.structs.replace(self, paused_until=None)

    def disabled(self, because: str, *, now: datetime) -> "Endpoint":
        """No longer sent anything, with the reason."""
        fields = {"is_enabled": False, "disabled_at": now, "disabled_because": because, "until": None}
        return msgspec.structs.replace(self.resumed(), **fields)

    def enabled(self, since: Point) -> "Endpoint":
        """Sent what changes from here on."""
        fields = {"is_enabled": True, "disabled_at": None, "disabled_because": "", "since": since, "until": None}
        return msgspec.structs.replace(self, **fields)

    def headers(self, message_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
        """The headers of one attempt to send a message."""
        second = int(now.timestamp())
        content = f"{message_id}.{second}.".encode() + body
        keys = [self.key, *(each.key for each in self.previous if now < each.until)]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(second),
            "webhook-signature": " ".join(key.signature(content) for key in keys),
        }


class Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message is about, by its ids alone: a document, or all of a kind and cycle (every one without it).

    ``remaining_cycles`` are what is still shared of a kind when not every cycle is any more.
    """

    kind: ReportKind | None = None
    factory_id: str | None = None
    cycle: int | None = None
    document_id: str | None = None
    is_withdrawn: bool = False
    remaining_cycles: tuple[int, ...] = ()


class Truth(StrEnum):
    """Whether what a message says is so: all of it, a part, or nothing."""

    WHOLE = "whole"
    PART = "part"
    NONE = "none"


def truth(about: Reference, seen: Mapping[ReportKind, Cycles]) -> Truth:
    """Whether a message still says what is so, given what is seen of its factory now.

    A part only can be true of a message about every cycle: who obeyed it would delete, or expect, too much.
    """
    cycles = seen.get(about.kind, _NO_CYCLE) if about.kind is not None else _NO_CYCLE
    if about.cycle is not None:
        is_shared = cycles is None or about.cycle in cycles
        return Truth.WHOLE if is_shared is not about.is_withdrawn else Truth.NONE
    if cycles is None:
        return Truth.NONE if about.is_withdrawn else Truth.WHOLE
    if about.is_withdrawn:
        return Truth.WHOLE if cycles <= set(about.remaining_cycles) else Truth.PART
    return Truth.PART if cycles else Truth.NONE


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to one endpoint; ``attempts`` have failed, the first ``failed_since``."""

    id: str
    endpoint_id: str
    type: MessageType
    about: Reference
    at: datetime
    due_at: datetime
    attempts: int = 0
    failed_since: datetime | None = None

    @property
    def body(self) -> bytes:
        """What is sent, the same in every attempt."""
        data = msgspec.to_builtins(self.about)
        return msgspec.json.encode({"type": self.type, "timestamp": self.at, "data": data})

    def again(self, *, now: datetime, jitter: float) -> "Outgoing | None":
        """The next attempt; ``None`` when this was the last, or the message has failed for long enough.

        ``jitter`` is between 0 and 1 and makes the wait up to a tenth longer.
        """
        attempts = self.attempts + 1
        failed_since = self.failed_since or now
        if attempts == len(DELAYS) or now - failed_since >= TRIED_FOR:
            return None
        due_at = now + DELAYS[attempts] * (1 + jitter / 10)
        return msgspec.structs.replace(self, attempts=attempts, failed_since=failed_since, due_at=due_at)


def about_document(document: SharedDocument) -> Reference:
    """A document by its ids."""
    return Reference(
        kind=document.kind,
        factory_id=document.factory_id,
        cycle=document.cycle,
        document_id=document.document_id,
    )


def turns(sight: Sight) -> Iterator[tuple[MessageType, Reference]]:
    """What began and what ended to be shared with a buyer between the two ends."""
    for factory_id in sorted(sight.factories):
        first, last = sight.pieces(factory_id)[0].seen, sight.pieces(factory_id)[-1].seen
        for kind in ReportKind:
            of = Reference(kind=kind, factory_id=factory_id)
            before, after = first.get(kind, _NO_CYCLE), last.get(kind, _NO_CYCLE)
            for cycle in _gained(before, after):
                yield MessageType.SHARING_BEGAN, msgspec.structs.replace(of, cycle=cycle)
            remaining = tuple(sorted(after)) if before is None and after is not None else ()
            for cycle in _gained(after, before):
                ended = msgspec.structs.replace(of, cycle=cycle, is_withdrawn=True, remaining_cycles=remaining)
                yield MessageType.SHARING_ENDED, ended


def _gained(before: Cycles, after: Cycles) -> list[int | None]:
    """The cycles that came, ``None`` for every one."""
    if before is None:
        return []
    return [None] if after is None else [*sorted(after - before)]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
