"""The gateway's decision alone: its time and the memory of a grant, from a thousand grants to a million."""

import gc
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from itertools import islice
from pathlib import Path

import msgspec

from contracts.access import ConsentAnswer
from deploy.terminal import say
from gateway.replica import Replica, Subject
from services.access.usecases.consent import ENTRIES_PER_ANSWER
from tests.bench.ledger import CYCLE, KINDS, buyer, changed, entries, factory
from tests.bench.timing import Spread, spread

SIZES = (1_000, 15_000, 100_000, 1_000_000)
BUYERS = 150
ASKED = 30_000
CHANGES = 20


class Found(msgspec.Struct, frozen=True):
    """What a ledger of a size costs: times in µs, memory in bytes a grant, the time to read the ledger in s."""

    grants: int
    decision_us: Spread
    first_us: Spread
    bytes_a_grant: float
    read_s: float


def main(grants: int) -> float:
    """Measure and print, each size in a process of its own; returns the median time in µs with so many grants."""
    say(f"decisions: what is shared with a buyer, and whether one report may be read; {BUYERS} buyers")
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawning, max_tasks_per_child=1) as pool:
        found = list(pool.map(measured, SIZES))
    for each in found:
        say(f"  {each.grants:>9,} grants  µs: {each.decision_us}   {each.bytes_a_grant:>5,.0f} bytes a grant")
        say(f"{'':>20}the first one after a change of the buyer's µs: {each.first_us}")
        say(f"{'':>20}the whole ledger read in {each.read_s:.2f} s")
    small, large = found[0].decision_us, found[-1].decision_us
    say(f"  a million grants against a thousand: p50 {large.p50 / small.p50:.2f}, p99 {large.p99 / small.p99:.2f}")
    return next(each.decision_us.p50 for each in found if each.grants == grants)


def measured(grants: int) -> Found:
    """Build a replica as the gateway does, from the JSON of access, and ask it."""
    replica = Replica(today=date.today, clock=lambda: 0.0)
    gc.collect()
    before = _memory()
    read_s = _read(replica, grants)
    gc.collect()
    held = _memory() - before
    chance = random.Random(1)
    for number in range(BUYERS):
        replica.decide(buyer(number))

    def ask() -> Callable[[], bool]:
        buyer_id = buyer(chance.randrange(BUYERS))
        # One in ten asks for what nobody granted.
        subject = Subject(factory(chance.randrange(grants // BUYERS * 11 // 10 + 1)), (chance.choice(KINDS),), CYCLE)
        return lambda: replica.stands(replica.decide(buyer_id), subject)

    decisions = [_took_us(ask()) for _ in range(ASKED)]
    firsts = []
    for _ in range(CHANGES):
        replica.fold.apply(changed(replica.fold.epoch, replica.fold.hash))
        firsts.append(
            _took_us(ask=lambda: replica.stands(replica.decide(buyer(0)), Subject(factory(0), KINDS[:1], CYCLE)))
        )
    return Found(grants, spread(decisions), spread(firsts), held / grants, read_s)


def _read(replica: Replica, grants: int) -> float:
    """Let the replica follow a whole ledger; returns the seconds of its own work."""
    made = entries(grants, buyers=BUYERS)
    took = 0.0
    while page := tuple(islice(made, ENTRIES_PER_ANSWER)):
        answer = msgspec.json.encode(ConsentAnswer(entries=page, epoch=page[-1].epoch, lease_s=5.0))
        began = time.perf_counter()
        replica.take(msgspec.json.decode(answer, type=ConsentAnswer), sent_at=0.0)
        took += time.perf_counter() - began
    return took


def _took_us(ask: Callable[[], bool]) -> float:
    began = time.perf_counter_ns()
    ask()
    return (time.perf_counter_ns() - began) / 1e3


def _memory() -> int:
    """The resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
