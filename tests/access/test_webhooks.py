"""Webhooks as a buyer's server sees them: signed, tried again, and never about what may not be seen any more."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.access.domain.webhook import DELAYS, Scheme, TooManyRotations
from services.access.usecases import telling
from tests.access.hooks import OWN, Hooks, Receiver, a_receiver, hooks


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as found:
        yield found


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with hooks(tmp_path) as found:
        yield found


def genuine(key: str, got: tuple[dict[str, str], bytes]) -> bool:
    """What the reference implementation says, at the second at which the message says it was sent."""
    headers, body = got
    webhook = Webhook(key)
    try:
        webhook._Webhook__verify_timestamp = _told  # type: ignore[attr-defined]
        webhook.verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def _told(second: str) -> datetime:
    """The timestamp of a message whatever the time is: tests turn the clock."""
    return datetime.fromtimestamp(int(second), tz=UTC)


async def test_a_buyer_is_told_of_a_released_document_by_its_ids_alone(country: Hooks, receiver: Receiver) -> None:
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    await country.settle()
    assert receiver.told("document.changed") == [
        {"kind": "improvement_plan", "factory_id": "f1", "cycle": 1, "document_id": "p1"}
    ]


async def test_nobody_is_told_what_it_may_not_see(country: Hooks, receiver: Receiver) -> None:
    await country.register(receiver.url)
    await country.publish()
    await country.settle()
    assert receiver.got == []


async def test_a_buyer_is_told_that_sharing_began_and_ended(country: Hooks, receiver: Receiver) -> None:
    await country.register(receiver.url)
    await country.share()
    await country.settle()
    kinds = {"assessment", "improvement_plan", "progress"}
    assert {data["kind"] for data in receiver.told("sharing.began")} == kinds
    await country.revoke()
    await country.settle()
    ended = receiver.told("sharing.ended")
    assert {data["kind"] for data in ended} == kinds
    assert all(data["is_withdrawn"] and "document_id" not in data for data in ended)


async def test_a_credit_that_outlives_a_partnership_remains_when_everything_else_ends(
    country: Hooks, receiver: Receiver
) -> None:
    """A buyer that obeys the message keeps the cycle that is still shared, whatever types it chose."""
    await country.share()
    await country.pay(cycles=(3,))
    await country.register(receiver.url)
    await country.end_partnership()
    await country.settle()
    ended = receiver.told("sharing.ended")
    assert {data["kind"] for data in ended} == {"assessment", "improvement_plan", "progress"}
    assert all("cycle" not in data and data["remaining_cycles"] == [3] for data in ended)
    assert receiver.told("sharing.began") == []


async def test_an_end_of_everything_that_came_too_late_is_replaced_by_the_feed(
    country: Hooks, receiver: Receiver
) -> None:
    """While the message waited a cycle was paid for, and the buyer may have read it: it must not delete that."""
    await country.share()
    await country.register(receiver.url)
    await country.end_partnership()
    receiver.answer = 500
    await country.look()
    receiver.answer = 204
    receiver.got.clear()
    await country.pay(cycles=(3,))
    await country.after(minutes=1)
    await country.settle()
    assert {data["cycle"] for data in receiver.told("sharing.began")} == {3}
    assert receiver.told("sharing.ended") == []
    assert receiver.told("sync.needed") == [{}] * 3


async def test_the_reference_implementation_finds_every_message_genuine(country: Hooks, receiver: Receiver) -> None:
    endpoint = await country.register(receiver.url)
    await country.share()
    await country.settle()
    assert len(receiver.got) == 3
    assert all(genuine(endpoint.key.shown, got) for got in receiver.got)


async def test_a_changed_body_is_not_genuine(country: Hooks, receiver: Receiver) -> None:
    endpoint = await country.register(receiver.url)
    await country.share()
    await country.settle()
    headers, body = receiver.got[0]
    assert not genuine(endpoint.key.shown, (headers, body.replace(b"f1", b"f2")))


async def test_an_asymmetric_signature_is_checked_with_the_public_key(country: Hooks, receiver: Receiver) -> None:
    endpoint = await country.register(receiver.url, scheme=Scheme.V1A)
    await country.share()
    await country.settle()
    prefix, _, public = endpoint.key.shown.partition("_")
    assert prefix == "whpk"
    for headers, body in receiver.got:
        version, _, signature = headers["webhook-signature"].partition(",")
        assert version == "v1a"
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(base64.b64decode(signature), content)


async def test_both_secrets_sign_for_a_day_after_a_rotation(country: Hooks, receiver: Receiver) -> None:
    old = await country.register(receiver.url)
    new = await country.registering.rotate("h1", OWN, now=country.now)
    await country.share()
    await country.settle()
    assert all(genuine(key.shown, got) for got in receiver.got for key in (old.key, new.key))
    receiver.got.clear()
    country.now += timedelta(hours=24)
    await country.publish()
    await country.settle()
    assert [(genuine(old.key.shown, got), genuine(new.key.shown, got)) for got in receiver.got] == [(False, True)]


async def test_a_rotation_that_is_repeated_cuts_no_receiver_off(country: Hooks, receiver: Receiver) -> None:
    """The answer of the first was lost: the receivers hold the secret before both. Each ends a day after it went."""
    held = await country.register(receiver.url)
    await country.registering.rotate("h1", OWN, now=country.now)
    country.now += timedelta(hours=1)
    lost = await country.endpoint()
    new = await country.registering.rotate("h1", OWN, now=country.now)
    await country.share()
    await country.settle()
    assert receiver.got
    assert all(genuine(each.key.shown, got) for got in receiver.got for each in (held, lost, new))
    receiver.got.clear()
    country.now += timedelta(hours=23)
    await country.publish()
    await country.settle()
    assert [[genuine(each.key.shown, got) for each in (held, lost, new)] for got in receiver.got] == [
        [False, True, True]
    ]


async def test_a_rotation_that_would_cut_a_receiver_off_has_to_wait(country: Hooks, receiver: Receiver) -> None:
    held = await country.register(receiver.url)
    for _ in range(4):
        await country.registering.rotate("h1", OWN, now=country.now)
    with pytest.raises(TooManyRotations):
        await country.registering.rotate("h1", OWN, now=country.now)
    assert held.key in {each.key for each in (await country.endpoint()).previous}
    await country.registering.rotate("h1", OWN, now=country.now + timedelta(hours=24))


async def test_a_message_is_tried_ten_times_over_three_days_and_then_the_endpoint_is_disabled(
    country: Hooks, receiver: Receiver
) -> None:
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    receiver.answer = 500
    await country.look()
    for attempt, delay in enumerate(DELAYS[1:], start=1):
        assert len(receiver.got) == attempt
        await country.after(seconds=delay.total_seconds() * 0.99)
        assert len(receiver.got) == attempt, "tried too early"
        await country.after(seconds=delay.total_seconds() * 0.12)
    endpoint = await country.endpoint()
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert (len(receiver.got), endpoint.is_enabled) == (10, False)
    assert "it answered 500" in endpoint.disabled_because
    assert await country.webhooks.waiting("h1") == 0


async def test_an_enabled_endpoint_is_told_to_read_the_feed_and_nothing_older(
    country: Hooks, receiver: Receiver
) -> None:
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    receiver.answer = 410
    await country.look()
    assert (await country.endpoint()).disabled_because == "it answered 410 Gone"
    receiver.got.clear()
    receiver.answer = 204
    await country.publish("p2")
    await country.settle()
    assert receiver.got == []
    await country.registering.enable("h1", OWN, now=country.now)
    await country.settle()
    assert [message["type"] for message in receiver.messages] == ["sync.needed"]


async def test_a_receiver_that_asks_for_a_pause_gets_it(country: Hooks, receiver: Receiver) -> None:
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    receiver.answer, receiver.headers = 429, {"retry-after": "600"}
    await country.look()
    await country.publish("p2")
    await country.after(seconds=590)
    assert len(receiver.got) == 1
    receiver.answer = 204
    await country.after(seconds=20)
    assert len(receiver.got) == 3


async def test_a_redirect_is_not_followed(country: Hooks, receiver: Receiver) -> None:
    await country.share()
    await country.register(receiver.url)
    await country.publish()
    receiver.answer, receiver.headers = 302, {"location": receiver.url}
    await country.look()
    assert (len(receiver.got), (await country.endpoint()).failure) == (1, "it answered 302")


async def test_what_was_not_confirmed_is_sent_again_after_a_restart_under_the_same_id(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with hooks(tmp_path) as country:
        await country.share()
        await country.register(receiver.url)
        await country.publish()
        receiver.answer = 500
        await country.look()
    async with hooks(tmp_path) as country:
        country.now += timedelta(minutes=1)
        receiver.answer = 204
        await country.settle()
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert (len(receiver.got), await country.webhooks.waiting("h1")) == (2, 0)


async def test_of_very_many_changes_an_endpoint_is_told_to_read_the_feed(
    country: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "MOST_DOCUMENTS", 2)
    await country.share()
    await country.register(receiver.url)
    for number in range(3):
        await country.publish(f"p{number}")
    await country.settle()
    assert [message["type"] for message in receiver.messages] == ["sync.needed"]
