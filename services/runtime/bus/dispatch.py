"""The one core that both bus adapters call: decode, trace, handle, and decide what becomes of a failure."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from contracts.errors import Conflict, NotFound, Refusal
from contracts.events import Event
from services.runtime.bus import Ack, Delivery, Handle, Park, Retry, Verdict
from services.runtime.telemetry import context_of
from services.runtime.unavailable import StoreUnavailable

logger = logging.getLogger(__name__)
tracer = trace.get_tracer("star.bus")
handled = metrics.get_meter("star.bus").create_counter(
    "star.bus.deliveries", description="Deliveries by listener, event type and verdict"
)

Consumer = Callable[[Any, Delivery], Awaitable[None]]
"""One function per event listened to: ``async def on_<noun>_<participle>(event, delivery)``."""

WORTH_WAITING = (NotFound, Conflict)
"""Refusals that time may heal: what the event speaks of has not arrived yet, or another writer was faster."""


def dispatcher(listener: str, events: Mapping[str, type[Event]], consumers: Mapping[type[Event], Consumer]) -> Handle:
    """Build a listener's ``Handle`` from its event classes and consumers; both sets must agree exactly."""
    if missing := set(events.values()) ^ set(consumers):
        raise ValueError(f"{listener}: catalogue and consumers differ in {sorted(e.type for e in missing)}")

    async def handle(delivery: Delivery) -> Verdict:
        message = delivery.message
        event_class = events.get(message.type)
        if event_class is None:
            return Ack()
        attributes: dict[str, str | int] = {
            "messaging.system": "star",
            "messaging.operation.type": "process",
            "messaging.destination.name": listener,
            "messaging.message.type": message.type,
            "messaging.star.attempt": delivery.attempt,
        }
        with tracer.start_as_current_span(
            f"{message.type} process",
            context=context_of(message.traceparent),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
        ) as span:
            verdict = await _attempt(consumers[event_class], event_class, delivery)
            if not isinstance(verdict, Ack):
                span.set_status(Status(StatusCode.ERROR, type(verdict).__name__))
            labels = {"listener": listener, "type": message.type, "verdict": type(verdict).__name__.lower()}
            handled.add(1, labels)
            return verdict

    return handle


async def _attempt(consumer: Consumer, event_class: type[Event], delivery: Delivery) -> Verdict:
    """Run one consumer: unreadable and refused messages are parked, everything else is tried again."""
    try:
        event = msgspec.json.decode(delivery.message.body, type=event_class)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return _park(delivery, f"the body does not fit {event_class.type}: {error}")
    try:
        await consumer(event, delivery)
    except WORTH_WAITING as refusal:
        return _retry(delivery, f"{refusal.code}: {refusal}")
    except Refusal as refusal:
        return _park(delivery, f"{refusal.code}: {refusal}")
    except StoreUnavailable as error:  # an outage lasts as long as it lasts, and the message is not to blame
        return _retry(delivery, f"{error} ({type(error.__cause__).__name__})", is_counted=False)
    except Exception as error:  # whatever broke, the message must survive it
        logger.warning("consumer failed", exc_info=error, extra={"event_type": delivery.message.type})
        return _retry(delivery, f"{type(error).__name__}: {error}")
    return Ack()


def _park(delivery: Delivery, reason: str) -> Park:
    logger.error("message parked", extra={"event_type": delivery.message.type, "reason": reason})
    return Park(reason)


def _retry(delivery: Delivery, reason: str, *, is_counted: bool = True) -> Retry:
    extra = {"event_type": delivery.message.type, "attempt": delivery.attempt, "reason": reason}
    logger.info("message will be tried again", extra=extra)
    return Retry(reason, is_counted)
