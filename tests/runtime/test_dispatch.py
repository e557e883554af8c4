"""The dispatch core: what becomes of a message that is handled, refused, unreadable or unlucky."""

import msgspec
import pytest

from contracts.access import BuyerRegisteredV1
from contracts.errors import Conflict, NotFound, RuleBroken
from contracts.events import Event
from services.runtime.bus import Ack, Delivery, Park, Retry
from services.runtime.bus.dispatch import dispatcher
from services.runtime.unavailable import StoreUnavailable
from tests.support.services import a_message

EVENTS: dict[str, type[Event]] = {BuyerRegisteredV1.type: BuyerRegisteredV1}


def a_delivery(**changes: object) -> Delivery:
    message = a_message(BuyerRegisteredV1(buyer_id="b", name="Brand"), subject="b")
    return Delivery(msgspec.structs.replace(message, **changes), 1)


async def test_a_handled_message_is_acknowledged() -> None:
    seen: list[object] = []

    async def on_buyer_registered(event: BuyerRegisteredV1, _: Delivery) -> None:
        seen.append(event)

    handle = dispatcher("x", EVENTS, {BuyerRegisteredV1: on_buyer_registered})
    assert await handle(a_delivery()) == Ack()
    assert seen == [BuyerRegisteredV1(buyer_id="b", name="Brand")]


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [
        (NotFound("not yet"), Retry),
        (Conflict("somebody was faster"), Retry),
        (ConnectionError("the store is away"), Retry),
        (RuleBroken("never"), Park),
    ],
)
async def test_a_failure_is_tried_again_or_parked(failure: Exception, verdict: type) -> None:
    async def on_buyer_registered(_: BuyerRegisteredV1, __: Delivery) -> None:
        raise failure

    handle = dispatcher("x", EVENTS, {BuyerRegisteredV1: on_buyer_registered})
    given = await handle(a_delivery())
    assert isinstance(given, verdict)
    assert str(failure) in repr(given)


async def test_an_outage_of_a_store_uses_up_no_attempt() -> None:
    async def on_buyer_registered(_: BuyerRegisteredV1, __: Delivery) -> None:
        raise StoreUnavailable("The files cannot be reached just now.")

    handle = dispatcher("x", EVENTS, {BuyerRegisteredV1: on_buyer_registered})
    given = await handle(a_delivery())
    assert isinstance(given, Retry)
    assert not given.is_counted


@pytest.mark.parametrize("body", [b"{}", b'{"buyer_id": 7, "name": "x"}', b"not json", b""])
async def test_a_body_that_does_not_fit_is_parked(body: bytes) -> None:
    async def on_buyer_registered(_: BuyerRegisteredV1, __: Delivery) -> None: ...

    handle = dispatcher("x", EVENTS, {BuyerRegisteredV1: on_buyer_registered})
    verdict = await handle(a_delivery(body=msgspec.Raw(body)))
    assert isinstance(verdict, Park)
    assert "access.buyer.registered.v1" in verdict.reason


async def test_a_type_that_nobody_asked_for_is_let_go() -> None:
    async def on_buyer_registered(_: BuyerRegisteredV1, __: Delivery) -> None: ...

    handle = dispatcher("x", EVENTS, {BuyerRegisteredV1: on_buyer_registered})
    assert await handle(a_delivery(type="x.y.z.v1")) == Ack()


def test_consumers_and_catalogue_must_agree() -> None:
    with pytest.raises(ValueError, match=r"access\.buyer\.registered\.v1"):
        dispatcher("x", EVENTS, {})
