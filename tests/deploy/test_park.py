"""``star park`` and ``star outbox`` on the folder of an embedded country, while it runs and while it does not."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from contracts.access import FactoryRegisteredV1
from contracts.catalogue import SERVICES
from deploy.embedded import queue_of
from services.runtime.bus import Delivery, Park, Parked, RetryPolicy, Verdict
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from tests.support.eventually import eventually
from tests.support.services import a_message
from tests.support.star import StarRun, typed

EVENT = FactoryRegisteredV1(
    factory_id="f-1", original_id="OLD-1", name="Cedar", country="JO", industry="C14", time_zone="Asia/Amman"
)
MESSAGE = a_message(EVENT, subject="f-1", source="JO/access")
REASON = "The reason, [as it is]."


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[StarRun]:
    """A country that does not run, with one message parked for assessment."""
    star = StarRun(tmp_path)
    await _park(star.data)
    yield star
    star.close()


async def _park(data: Path) -> None:
    """Let the bus of the folder park the message."""

    async def refuse(_: Delivery) -> Verdict:
        return Park(REASON)

    queue = queue_of(data)
    bus = InProcessBus(queue.collection("messages", INDEXES), RetryPolicy(attempts=1, delay_ms=10))
    bus.subscribe("assessment", [EVENT.type], refuse)
    await queue.start()
    await bus.start()
    await bus.publish([MESSAGE])
    await eventually(lambda: bus.parked("assessment"), saying="the message is parked")
    await bus.stop()
    await queue.stop()


async def _waiting(data: Path) -> int:
    """How many messages the bus of the folder holds."""
    queue = queue_of(data)
    messages = queue.collection("messages", INDEXES)
    await queue.start()
    try:
        return await messages.count({})
    finally:
        await queue.stop()


async def test_a_parked_message_is_listed_with_its_reason(run: StarRun) -> None:
    told = await typed("park", "list", "--data", run.data)
    first, second = told.stdout.splitlines()
    assert f"assessment  {EVENT.type}  {MESSAGE.id}  after 1" in first
    assert second.strip() == REASON


async def test_the_list_of_another_listener_is_empty(run: StarRun) -> None:
    assert (await typed("park", "list", "training", "--data", run.data)).stdout == ""


async def test_a_parked_message_is_shown_whole(run: StarRun) -> None:
    told = await typed("park", "show", "assessment", MESSAGE.id, "--data", run.data)
    shown = msgspec.json.decode(told.stdout, type=Parked)
    assert (shown.reason, shown.message.id) == (REASON, MESSAGE.id)
    assert msgspec.json.decode(shown.message.body, type=FactoryRegisteredV1) == EVENT


async def test_a_message_that_is_not_parked_is_said_so(run: StarRun) -> None:
    told = await typed("park", "show", "assessment", "other", "--data", run.data)
    assert (told.returncode, told.stderr) == (1, "Nothing with the id other is parked for assessment.\n")


async def test_a_replay_while_star_runs_is_delivered_at_once(run: StarRun) -> None:
    await run.start()
    told = await typed("park", "replay", "assessment", "--data", run.data)
    assert (told.returncode, told.stdout) == (0, "1 queued again for assessment\n")

    async def handled() -> bool:
        return await _waiting(run.data) == 0

    await eventually(handled, saying="assessment has handled the message")


async def test_a_replay_while_star_does_not_run_is_delivered_at_its_start(run: StarRun) -> None:
    told = await typed("park", "replay", "assessment", MESSAGE.id, "--data", run.data)
    assert told.returncode == 0
    assert await _waiting(run.data) == 1
    await run.start()

    async def handled() -> bool:
        return await _waiting(run.data) == 0

    await eventually(handled, saying="assessment has handled the message")


async def test_a_replay_of_nothing_fails(run: StarRun) -> None:
    told = await typed("park", "replay", "training", "--data", run.data)
    assert (told.returncode, told.stdout) == (1, "0 queued again for training\n")


async def test_the_outboxes_of_a_stopped_country_are_told(run: StarRun) -> None:
    told = await typed("outbox", "--data", run.data)
    assert [line.split() for line in told.stdout.splitlines()] == [[name, "0", "waiting"] for name in SERVICES]


async def test_the_folder_may_come_from_the_environment(run: StarRun) -> None:
    told = await typed("park", "list", variables={"STAR_DATA_FOLDER": str(run.data)})
    assert MESSAGE.id in told.stdout
