"""A process to be killed: publishes as fast as it can and reports each confirmed and each handled message."""

import asyncio
import sys
from pathlib import Path

from services.runtime.bus import Ack, Delivery, Retry, RetryPolicy, Verdict
from services.runtime.bus.inprocess import INDEXES, InProcessBus
from services.runtime.documents.sqlite import SqliteDocuments
from tests.runtime.bus.stage import a_message


def report(what: str, message_id: str) -> None:
    sys.stdout.write(f"{what} {message_id}\n")
    sys.stdout.flush()


async def handle(delivery: Delivery) -> Verdict:
    """Finish two of three messages; the third is always waiting for its next attempt."""
    if delivery.message.sequence % 3 == 0:
        return Retry("later")
    report("handled", delivery.message.id)
    return Ack()


async def main(file: str, listener: str, event_type: str) -> None:
    documents = SqliteDocuments(Path(file))
    bus = InProcessBus(documents.collection("messages", INDEXES), RetryPolicy(attempts=1_000, delay_ms=50))
    bus.subscribe(listener, [event_type], handle)
    await documents.start()
    await bus.start()
    sequence = 0
    while True:
        batch = [a_message(event_type, sequence=sequence + n, subject=f"visit-{n}") for n in range(1, 21)]
        sequence += len(batch)
        for message_id in await bus.publish(batch):
            report("confirmed", message_id)


asyncio.run(main(*sys.argv[1:]))
