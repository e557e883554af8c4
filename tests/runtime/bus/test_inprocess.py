"""What only the in-process bus can do wrong: lose messages with its process, or keep a backlog in memory."""

import asyncio
import sys

import pytest

from services.runtime.bus import Ack, Delivery, Park, RetryPolicy, Verdict
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from tests.runtime.bus.stage import OnFile, Remembering, Stuck, a_message
from tests.support.eventually import eventually


@pytest.mark.crash
@pytest.mark.parametrize("confirmations", [1, 200, 401])
async def test_a_killed_process_loses_nothing_it_confirmed(on_file: OnFile, confirmations: int) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.runtime.bus.killed",
        str(on_file.file),
        "audit",
        "opened",
        stdout=asyncio.subprocess.PIPE,
    )
    reported: dict[str, set[str]] = {"confirmed": set(), "handled": set()}
    assert child.stdout is not None
    while line := await child.stdout.readline():
        if line.endswith(b"\n"):
            what, message_id = line.decode().split()
            reported[what].add(message_id)
        if len(reported["confirmed"]) == confirmations and child.returncode is None:
            child.kill()
    await child.wait()
    seen = Remembering()
    async with on_file.running(("audit", ["opened"], seen)):
        unseen = reported["confirmed"] - reported["handled"]
        await eventually(lambda: unseen <= set(seen.ids), 20, saying="everything that was confirmed")
    assert len(reported["confirmed"]) >= confirmations


async def test_a_backlog_stays_in_the_collection(on_file: OnFile) -> None:
    documents = SqliteDocuments(on_file.file)
    bus = InProcessBus(documents.collection("messages", INDEXES), RetryPolicy(), grace_s=0.1)
    stuck = Stuck()
    bus.subscribe("audit", ["opened"], stuck)
    await documents.start()
    await bus.start()
    await bus.publish([a_message("opened", sequence=n) for n in range(1, 1_001)])
    await stuck.began.wait()
    assert len(bus._lanes["audit"].held) <= 200
    await bus.stop()
    await documents.stop()


async def test_no_more_than_the_agreed_number_of_handlers_run_at_once(on_file: OnFile) -> None:
    running, most, ended = 0, 0, 0

    async def handle(_: Delivery) -> Verdict:
        nonlocal running, most, ended
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        ended += 1
        return Ack()

    async with on_file.running(("audit", ["opened"], handle)) as bus:
        await bus.publish([a_message("opened", subject=f"visit-{n}") for n in range(100)])
        await eventually(lambda: ended == 100, saying="a hundred handled")
    assert most == 20


async def test_a_message_is_kept_until_every_listener_has_handled_it(on_file: OnFile) -> None:
    documents = SqliteDocuments(on_file.file)
    messages = documents.collection("messages", INDEXES)
    bus = InProcessBus(messages, RetryPolicy(), grace_s=0.1)
    done, stuck = Remembering(), Stuck()
    bus.subscribe("done", ["opened"], done)
    bus.subscribe("stuck", ["opened"], stuck)
    await documents.start()
    await bus.start()
    await bus.publish([a_message("opened")])
    await eventually(lambda: done.ids and stuck.began.is_set(), saying="both deliveries")

    async def only_the_stuck_one() -> bool:
        return [document["listener"] for document in (await messages.find()).documents] == ["stuck"]

    await eventually(only_the_stuck_one, saying="the handled one is deleted")
    await bus.stop()
    await documents.stop()


async def test_a_clock_that_was_set_back_strands_no_message(on_file: OnFile) -> None:
    documents = SqliteDocuments(on_file.file)
    messages = documents.collection("messages", INDEXES)
    await documents.start()
    async with on_file.running(("audit", ["opened"], Remembering(lambda _: Park("no")))) as bus:
        await bus.publish([a_message("opened")])
        await eventually(lambda: bus.parked("audit"), saying="parking")
    (document,) = (await messages.find()).documents
    tomorrow = 4_000_000_000_000
    waiting = {**document, "state": "queued", "attempt": 2, "due_at": tomorrow, "version": document["version"] + 1}
    assert await messages.replace(waiting, if_version=document["version"])
    await documents.stop()
    seen = Remembering()
    async with on_file.running(("audit", ["opened"], seen)):
        await eventually(lambda: seen.ids, saying="the message from tomorrow")
