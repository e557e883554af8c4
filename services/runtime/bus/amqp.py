"""CloudEvents on AMQP in binary mode: a message as properties, headers and body, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aio_pika
import msgspec
import uuid_utils
from aio_pika.abc import AbstractIncomingMessage, DeliveryMode, HeadersType

from services.runtime.bus import Message, Parked

ATTEMPT = "star-attempt"
REASON = "star-reason"
PARKED_AT = "star-parked-at"

# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md#3131
_PREFIX = "cloudEvents:"
_LONGEST_REASON = 2_000


class NotAnEvent(Exception):
    """What lies on the queue is no CloudEvent that a listener could be given."""


def outgoing(message: Message) -> aio_pika.Message:
    """The AMQP form of an event: persistent, JSON, with its attributes in prefixed headers."""
    headers: HeadersType = {
        f"{_PREFIX}specversion": "1.0",
        f"{_PREFIX}id": message.id,
        f"{_PREFIX}type": message.type,
        f"{_PREFIX}source": message.source,
        f"{_PREFIX}subject": message.subject,
        # The sequence extension of CloudEvents is a string.
        f"{_PREFIX}sequence": str(message.sequence),
        f"{_PREFIX}time": message.time,
    }
    if message.traceparent:
        headers["traceparent"] = message.traceparent
    return aio_pika.Message(
        bytes(message.body),
        headers=headers,
        content_type="application/json",
        message_id=message.id,
        type=message.type,
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def incoming(raw: AbstractIncomingMessage) -> Message:
    """The event of an AMQP message; raises ``NotAnEvent`` with what is wrong."""
    headers = raw.headers
    if _text(headers, "specversion") != "1.0":
        raise NotAnEvent("Not a CloudEvent 1.0 in binary mode.")
    missing = [name for name in ("id", "type", "source", "subject", "time") if not _text(headers, name)]
    if missing:
        raise NotAnEvent(f"CloudEvent without {', '.join(missing)}.")
    if _sequence(headers) < 1:
        raise NotAnEvent("CloudEvent without a sequence number from 1.")
    try:
        raw.body.decode()
        msgspec.json.decode(raw.body, type=msgspec.Raw)
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise NotAnEvent("The body is not JSON.") from error
    # Not what the decoder gave: it trims, and a message arrives byte for byte.
    return _message(raw, msgspec.Raw(raw.body))


def attempt_of(raw: AbstractIncomingMessage) -> int:
    """Which attempt this delivery is, counted from 1."""
    attempt = raw.headers.get(ATTEMPT)
    return attempt if isinstance(attempt, int) and attempt >= 1 else 1


def copy_of(raw: AbstractIncomingMessage, marks: Mapping[str, str | int]) -> aio_pika.Message:
    """The message once more with its own headers and these marks, without what the broker or we had added."""
    own = {name: value for name, value in raw.headers.items() if not name.startswith(("x-", "star-"))}
    return aio_pika.Message(
        raw.body,
        headers={**own, **marks},
        content_type=raw.content_type,
        content_encoding=raw.content_encoding,
        # Without an id nobody could name it when it is parked.
        message_id=raw.message_id or str(uuid_utils.uuid7()),
        type=raw.type,
        timestamp=raw.timestamp,
        app_id=raw.app_id,
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def parked_copy(raw: AbstractIncomingMessage, reason: str) -> aio_pika.Message:
    """The message as it is put aside."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return copy_of(raw, {REASON: reason[:_LONGEST_REASON], ATTEMPT: attempt_of(raw), PARKED_AT: now})


def parked(listener: str, raw: AbstractIncomingMessage) -> Parked:
    """What is known of a parked message, event or not; a body that is no JSON becomes a JSON string."""
    death = _death(raw.headers)
    reason, parked_at = raw.headers.get(REASON), raw.headers.get(PARKED_AT)
    if not isinstance(reason, str):
        reason = f"The broker gave it up ({death.get('reason', 'unknown')}): no handler ever answered for it."
    if not isinstance(parked_at, str):
        parked_at = _instant(death.get("time"))
    try:
        message = incoming(raw)
    except NotAnEvent:
        message = _message(raw, msgspec.Raw(msgspec.json.encode(raw.body.decode(errors="replace"))))
    return Parked(listener, message, reason, attempt_of(raw), parked_at)


def id_of(raw: AbstractIncomingMessage) -> str:
    """The id under which a message is listed and replayed."""
    return _text(raw.headers, "id") or raw.message_id or ""


def _message(raw: AbstractIncomingMessage, body: msgspec.Raw) -> Message:
    headers = raw.headers
    traceparent = headers.get("traceparent")
    return Message(
        id=id_of(raw),
        type=_text(headers, "type") or raw.type or "",
        source=_text(headers, "source"),
        subject=_text(headers, "subject"),
        sequence=_sequence(headers),
        time=_text(headers, "time"),
        traceparent=traceparent if isinstance(traceparent, str) else "",
        body=body,
    )


def _text(headers: Mapping[str, Any], name: str) -> str:
    # The binding lets a sender use AMQP's own types instead of text.
    value = headers.get(_PREFIX + name)
    return value if isinstance(value, str) else _instant(value)


def _sequence(headers: Mapping[str, Any]) -> int:
    value = headers.get(f"{_PREFIX}sequence")
    digits = str(value) if isinstance(value, str | int) else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else 0


def _instant(value: object) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else ""


def _death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
