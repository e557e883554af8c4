"""A listener that has never run loses nothing of what was published before its first start."""

import pytest

from services.runtime.bus import RetryPolicy
from services.runtime.bus.rabbit import RabbitBus
from tests.runtime.bus.stage import Remembering, a_message, a_name
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def test_what_is_published_before_a_listener_ever_ran_waits_for_it(amqp_url: str) -> None:
    opened, listener, seen = a_name("visit.opened"), a_name("newcomer"), Remembering()
    first = RabbitBus(amqp_url, service="first", policy=RetryPolicy(), others={listener: [opened]})
    await first.start()
    message = a_message(opened)
    assert await first.publish([message]) == {message.id}
    await first.stop()
    newcomer = RabbitBus(amqp_url, service="newcomer", policy=RetryPolicy())
    newcomer.subscribe(listener, [opened], seen)
    await newcomer.start()
    await eventually(lambda: seen.ids == [message.id], saying="the message from before its first start")
    await newcomer.stop()
