"""The contract of the bus port, the same for every adapter."""

import asyncio
from collections import defaultdict

import pytest

from services.runtime.bus import Ack, Delivery, Park, Retry, RetryPolicy, Verdict
from tests.runtime.bus.stage import Remembering, Stage, Stuck, a_message, a_name
from tests.support.eventually import eventually

PARK = Park("the plan does not exist")


async def test_a_message_reaches_every_bound_listener_and_nobody_else(stage: Stage) -> None:
    opened, closed = a_name("visit.opened"), a_name("visit.closed")
    audit, reporting, training = Remembering(), Remembering(), Remembering()
    listeners = [(a_name("audit"), [opened], audit), (a_name("reporting"), [opened, closed], reporting)]
    async with stage.running(*listeners, (a_name("training"), [closed], training)) as bus:
        first, second = a_message(opened), a_message(closed)
        assert await bus.publish([first, second]) == {first.id, second.id}
        await eventually(lambda: len(reporting.ids) == 2 and training.ids, saying="all deliveries")
    assert audit.ids == [first.id]
    assert set(reporting.ids) == {first.id, second.id}
    assert training.ids == [second.id]


async def test_a_message_arrives_byte_for_byte_with_all_its_attributes(stage: Stage) -> None:
    opened, seen = a_name("visit.opened"), Remembering()
    body = '{ "ชื่อ": "โรงงาน ៣", "n":1.50,  "quote":"\\u0e01 \\"\\u0000", "😀": [] }\n'.encode()
    sent = a_message(opened, subject="โรงงาน/ច្បាប់ 7", sequence=41, body=body)
    async with stage.running((a_name("audit"), [opened], seen)) as bus:
        await bus.publish([sent])
        await eventually(lambda: seen.deliveries, saying="the message")
    assert seen.deliveries == [Delivery(sent, 1)]
    assert bytes(seen.deliveries[0].message.body) == body


async def test_messages_of_a_subject_are_handled_one_after_the_other_in_order(stage: Stage) -> None:
    opened, running, order = a_name("visit.opened"), set[str](), defaultdict[str, list[int]](list)

    async def handle(delivery: Delivery) -> Verdict:
        message = delivery.message
        assert message.subject not in running
        running.add(message.subject)
        await asyncio.sleep(0.001)
        running.discard(message.subject)
        order[message.subject].append(message.sequence)
        return Ack()

    sent = [a_message(opened, subject=f"visit-{n % 5}", sequence=n // 5 + 1) for n in range(200)]
    async with stage.running((a_name("audit"), [opened], handle)) as bus:
        await bus.publish(sent)
        await eventually(lambda: sum(map(len, order.values())) >= 200, saying="200 handled")
    assert order == {f"visit-{n}": list(range(1, 41)) for n in range(5)}


async def test_a_retry_comes_again_until_the_attempts_are_used_up_and_is_then_parked(stage: Stage) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    seen = Remembering(lambda delivery: Retry(f"busy {delivery.attempt}"))
    sent = a_message(opened, body='{"ល":"ก"}'.encode())
    async with stage.running((listener, [opened], seen)) as bus:
        await bus.publish([sent])
        await eventually(lambda: bus.parked(listener), saying="parking")
        (parked,) = await bus.parked(listener)
    assert seen.deliveries == [Delivery(sent, 1), Delivery(sent, 2), Delivery(sent, 3)]
    assert (parked.listener, parked.message, parked.reason, parked.attempts) == (listener, sent, "busy 3", 3)
    assert parked.parked_at.startswith("20")
    assert parked.parked_at.endswith("Z")


async def test_a_retry_that_does_not_count_comes_again_for_as_long_as_it_takes(stage: Stage) -> None:
    opened, listener, mended = a_name("visit.opened"), a_name("audit"), asyncio.Event()
    seen = Remembering(lambda _: Ack() if mended.is_set() else Retry("the store is away", is_counted=False))
    async with stage.running((listener, [opened], seen)) as bus:
        await bus.publish([a_message(opened)])
        await eventually(lambda: len(seen.ids) == 10, saying="far more deliveries than attempts")
        mended.set()
        handled = len(seen.ids) + 1
        await eventually(lambda: len(seen.ids) >= handled, saying="the delivery that is handled")
        assert await bus.parked(listener) == []
    assert {delivery.attempt for delivery in seen.deliveries} == {1}


async def test_a_retry_waits_for_its_delay(stage: Stage) -> None:
    opened, times = a_name("visit.opened"), list[float]()

    async def handle(delivery: Delivery) -> Verdict:
        times.append(asyncio.get_running_loop().time())
        return Retry("busy") if delivery.attempt == 1 else Ack()

    policy = RetryPolicy(attempts=3, delay_ms=300)
    async with stage.running((a_name("audit"), [opened], handle), policy=policy) as bus:
        await bus.publish([a_message(opened)])
        await eventually(lambda: len(times) == 2, saying="the second attempt")
    assert times[1] - times[0] >= 0.29


async def test_a_waiting_message_holds_up_no_other_of_its_subject(stage: Stage) -> None:
    opened, seen = a_name("visit.opened"), Remembering(lambda d: Retry("gap") if d.message.sequence == 1 else Ack())
    policy = RetryPolicy(attempts=3, delay_ms=60_000)
    async with stage.running((a_name("audit"), [opened], seen), policy=policy) as bus:
        await bus.publish([a_message(opened, sequence=n) for n in range(1, 60)])
        await eventually(lambda: len(seen.ids) == 59, saying="all first attempts")


async def test_parking_is_immediate_and_later_messages_flow_on(stage: Stage) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    seen = Remembering(lambda delivery: PARK if delivery.message.sequence == 1 else Ack())
    sent = [a_message(opened, sequence=n) for n in (1, 2, 3)]
    async with stage.running((listener, [opened], seen)) as bus:
        await bus.publish(sent)
        await eventually(lambda: len(seen.ids) == 3, saying="all three")
        await eventually(lambda: bus.parked(listener), saying="parking")
        (parked,) = await bus.parked(listener)
    assert seen.ids == [message.id for message in sent]
    assert (parked.message, parked.reason, parked.attempts) == (sent[0], PARK.reason, 1)


async def test_a_handler_that_raises_counts_as_a_retry(stage: Stage) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")

    def answer(_: Delivery) -> Verdict:
        raise ZeroDivisionError

    seen = Remembering(answer)
    async with stage.running((listener, [opened], seen)) as bus:
        await bus.publish([a_message(opened)])
        await eventually(lambda: bus.parked(listener), saying="parking")
        (parked,) = await bus.parked(listener)
    assert (parked.reason, parked.attempts, len(seen.ids)) == ("ZeroDivisionError", 3, 3)


async def test_listing_keeps_the_order_of_parking_and_takes_nothing(stage: Stage) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    sent = [a_message(opened, sequence=n) for n in range(1, 31)]
    async with stage.running((listener, [opened], Remembering(lambda _: PARK))) as bus:
        for message in sent:
            await bus.publish([message])
        await eventually(lambda: _count(bus.parked(listener), 30), saying="thirty parked")
        listings = [[p.message.sequence for p in await bus.parked(listener, limit=10)] for _ in range(25)]
        whole = [parked.message.sequence for parked in await bus.parked(listener)]
    assert sorted(whole) == list(range(1, 31))
    assert listings == [whole[:10]] * 25


async def test_a_bus_without_subscriptions_lists_and_replays_each_message_once(stage: Stage) -> None:
    opened, listener, mended = a_name("visit.opened"), a_name("audit"), asyncio.Event()
    seen = Remembering(lambda _: Ack() if mended.is_set() else PARK)
    sent = [a_message(opened, sequence=n, subject=f"visit-{n}") for n in range(1, 4)]
    async with stage.running((listener, [opened], seen)) as bus, stage.running() as command_line:
        await bus.publish(sent)
        await eventually(lambda: _count(command_line.parked(listener), 3), saying="three parked")
        mended.set()
        assert await command_line.replay(listener, message_id=sent[1].id) == 1
        await eventually(lambda: len(seen.ids) == 4, saying="the named one came home")
        assert seen.deliveries[3] == Delivery(sent[1], 1)
        assert {parked.message.id for parked in await command_line.parked(listener)} == {sent[0].id, sent[2].id}
        assert await command_line.replay(listener) == 2
        await eventually(lambda: len(seen.ids) == 6, saying="the others came home")
        assert await command_line.parked(listener) == []
        assert await command_line.replay(listener) == 0
    assert sorted(seen.ids[3:]) == sorted(message.id for message in sent)
    assert {delivery.attempt for delivery in seen.deliveries} == {1}


async def test_a_replayed_message_that_still_fails_is_parked_again(stage: Stage) -> None:
    opened, listener, seen = a_name("visit.opened"), a_name("audit"), Remembering(lambda _: PARK)
    async with stage.running((listener, [opened], seen)) as bus:
        await bus.publish([a_message(opened)])
        await eventually(lambda: bus.parked(listener), saying="parking")
        assert await bus.replay(listener) == 1
        await eventually(lambda: len(seen.ids) == 2, saying="the replay")
        await eventually(lambda: bus.parked(listener), saying="parking again")
    assert seen.deliveries[0] == seen.deliveries[1]


async def test_nothing_is_parked_for_a_listener_that_never_was(stage: Stage) -> None:
    async with stage.running() as bus:
        assert await bus.parked(a_name("audit")) == []
        assert await bus.replay(a_name("audit")) == 0


async def test_a_message_that_is_published_again_is_delivered_again(stage: Stage) -> None:
    opened, seen = a_name("visit.opened"), Remembering()
    async with stage.running((a_name("audit"), [opened], seen)) as bus:
        sent = a_message(opened)

        async def delivered_twice() -> bool:
            assert await bus.publish([sent]) == {sent.id}
            return len(seen.ids) >= 2

        await eventually(delivered_twice, saying="a duplicate")
    assert set(seen.ids) == {sent.id}


async def test_a_message_whose_handler_was_cut_off_comes_again_after_a_restart(stage: Stage) -> None:
    opened, listener, stuck, seen = a_name("visit.opened"), a_name("audit"), Stuck(), Remembering()
    sent = [a_message(opened, sequence=n) for n in (1, 2)]
    async with stage.running((listener, [opened], stuck)) as bus:
        await bus.publish(sent)
        await asyncio.wait_for(stuck.began.wait(), 10)
    async with stage.running((listener, [opened], seen)):
        await eventually(lambda: len(seen.ids) == 2, saying="both again")
    assert seen.deliveries == [Delivery(sent[0], 1), Delivery(sent[1], 1)]


async def test_stopping_lets_the_running_handler_finish_and_begins_no_other(stage: Stage) -> None:
    opened, listener = a_name("visit.opened"), a_name("audit")
    began, may_end, first, seen = asyncio.Event(), asyncio.Event(), list[str](), Remembering()

    async def handle(delivery: Delivery) -> Verdict:
        first.append(delivery.message.id)
        began.set()
        await may_end.wait()
        return Ack()

    sent = [a_message(opened, sequence=n) for n in (1, 2)]
    async with stage.running((listener, [opened], handle)) as bus:
        await bus.publish(sent)
        await asyncio.wait_for(began.wait(), 10)
        asyncio.get_running_loop().call_later(0.1, may_end.set)
    async with stage.running((listener, [opened], seen)):
        await eventually(lambda: seen.ids, saying="the one that had not begun")
    assert (first, seen.ids) == ([sent[0].id], [sent[1].id])


async def test_what_a_handler_says_while_the_bus_stops_counts(stage: Stage) -> None:
    opened, listener, began = a_name("visit.opened"), a_name("audit"), asyncio.Event()

    async def fail_slowly(_: Delivery) -> Verdict:
        began.set()
        await asyncio.sleep(0.2)
        return Retry("slowly")

    async with stage.running((listener, [opened], fail_slowly)) as bus:
        await bus.publish([a_message(opened)])
        await asyncio.wait_for(began.wait(), 10)
    seen = Remembering()
    async with stage.running((listener, [opened], seen)):
        await eventually(lambda: [each.attempt for each in seen.deliveries] == [2], saying="the second attempt")


async def test_a_type_nobody_listens_to_is_confirmed(stage: Stage) -> None:
    async with stage.running() as bus:
        message = a_message(a_name("visit.opened"))
        assert await bus.publish([message]) == {message.id}
        assert await bus.publish([]) == set()


async def test_a_slow_listener_does_not_block_another(stage: Stage) -> None:
    opened, slow, quick = a_name("visit.opened"), Stuck(), Remembering()
    async with stage.running((a_name("slow"), [opened], slow), (a_name("quick"), [opened], quick)) as bus:
        await bus.publish([a_message(opened, subject=f"visit-{n}") for n in range(100)])
        await eventually(lambda: slow.began.is_set() and len(quick.ids) == 100, saying="the quick listener")


async def test_two_thousand_messages_that_waited_for_their_listener_all_flow(stage: Stage) -> None:
    opened, listener, seen = a_name("visit.opened"), a_name("audit"), Remembering()
    sent = [a_message(opened, subject=f"visit-{n % 50}", sequence=n // 50 + 1) for n in range(2_000)]
    stuck = Stuck()
    async with stage.running((listener, [opened], stuck)) as bus:
        assert await bus.publish(sent) == {message.id for message in sent}
    async with stage.running((listener, [opened], seen)):
        await eventually(lambda: len(set(seen.ids)) == 2_000, 40, saying="2,000 handled")
    assert len(seen.ids) == 2_000


async def test_a_listener_has_one_queue_only(stage: Stage) -> None:
    async with stage.running((listener := a_name("audit"), [a_name("visit.opened")], Remembering())) as bus:
        with pytest.raises(ValueError, match="another queue"):
            bus.subscribe(listener, [a_name("visit.closed")], Remembering())


async def test_the_bus_answers_while_it_runs_and_refuses_when_it_is_stopped(stage: Stage) -> None:
    async with stage.running((a_name("audit"), [a_name("visit.opened")], Remembering())) as bus:
        await bus.ping()
    with pytest.raises(RuntimeError):
        await bus.ping()
    with pytest.raises(RuntimeError):
        await bus.publish([a_message(a_name("visit.opened"))])


async def _count(listing: object, expected: int) -> bool:
    return len(await listing) == expected  # type: ignore[misc]
