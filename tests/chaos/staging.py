"""One run: buyers read, factories give and withdraw, and everything that can fail does; then the figures."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.bench.timing import Spread, spread
from tests.chaos.country import LEASE_S, Country
from tests.chaos.factories import Factories, Withdrawal
from tests.chaos.readers import Readers
from tests.chaos.trouble import Chaos
from tests.chaos.truth import Judge

POLL_S: Final = 0.1
TOLD_EVERY_S: Final = 30.0
LONGEST_RUN_S: Final = 4 * 3600.0


class Run:
    """What came of a run."""

    def __init__(self, judge: Judge, chaos: Chaos, factories: Factories) -> None:
        self.judge = judge
        self.chaos = chaos
        self.factories = factories
        self.began = time.monotonic()
        self.seconds = 0.0

    @property
    def reads(self) -> int:
        """How many reads came to an end."""
        return self.judge.reads.total()

    @property
    def withdrawals(self) -> list[Withdrawal]:
        """Every withdrawal that was confirmed."""
        return self.factories.withdrawals

    def healthy(self) -> list[Withdrawal]:
        """The withdrawals with no trouble anywhere from a lease before to a lease after."""
        return [
            each
            for each in self.withdrawals
            if not self.chaos.during(each.first_asked, each.confirmed, margin_s=LEASE_S)
        ]

    def of_other_gateways(self) -> list[Withdrawal]:
        """The withdrawals beside which only other gateways than the one that was asked were in trouble."""
        found = []
        for each in self.withdrawals:
            troubles = self.chaos.during(each.asked, each.confirmed, margin_s=LEASE_S)
            if troubles and not {"access", "mongo", "rabbitmq", each.gateway} & {one.target for one in troubles}:
                found.append(each)
        return found

    def figures(self) -> Iterator[str]:
        """What there is to tell."""
        judge, seconds = self.judge, max(self.seconds, 1e-9)
        yield f"{self.reads:,} reads in {seconds:,.0f} s ({self.reads / seconds:,.0f}/s): {dict(judge.reads)}"
        yield f"answers {dict(judge.answers)}"
        yield f"shown what was shared for a lease: {judge.granted.total():,} of {judge.expected.total():,} asked for"
        yield f"asked for what had been withdrawn less than a lease before: {judge.tempted:,}"
        yield f"stale reads: {judge.stale.total()} {dict(judge.stale)}"
        yield f"{len(self.withdrawals):,} withdrawals ({len(self.withdrawals) / seconds:,.1f}/s)"
        for name, some in (
            ("while all is healthy", self.healthy()),
            ("while other gateways are in trouble", self.of_other_gateways()),
            ("altogether, the attempt that was confirmed", self.withdrawals),
        ):
            yield f"  {name}: {len(some):,}   ms: {_ms([each.took_s for each in some])}"
        yield f"  altogether, from the first attempt   ms: {_ms([each.took_in_all_s for each in self.withdrawals])}"
        yield f"trouble: {sum(self.chaos.counts().values())} {dict(sorted(self.chaos.counts().items()))}"


def _ms(seconds: Sequence[float]) -> Spread | str:
    return spread([each * 1e3 for each in seconds]) if seconds else "none"


async def run(
    country: Country,
    *,
    reads: int,
    withdrawals: int,
    seed: int,
    is_enough: Callable[[Judge], bool] = lambda _: False,
) -> Run:
    """Go on until there were that many of both, or enough was seen; then everything is withdrawn and at rest.

    Raises ``AssertionError`` when somebody cannot go on at all.
    """
    judge = Judge(lease_s=LEASE_S)
    chaos, factories = Chaos(country, judge, seed=seed), Factories(country, judge, seed=seed)
    readers = Readers(country, judge, seed=seed, is_calm=lambda: chaos.is_calm)
    going = Run(judge, chaos, factories)
    making_trouble, sharing, reading = tasks = [asyncio.create_task(each.run()) for each in (chaos, factories, readers)]
    try:
        told = time.monotonic()
        while (going.reads < reads or len(going.withdrawals) < withdrawals) and not is_enough(judge):
            await _on(tasks)
            going.seconds = time.monotonic() - going.began
            assert going.seconds < LONGEST_RUN_S
            if time.monotonic() > told + TOLD_EVERY_S:
                told = time.monotonic()
                _tell(going)
        chaos.stop()
        await making_trouble
        factories.stop()
        await sharing
        await _on([reading], for_s=LEASE_S)
        going.seconds = time.monotonic() - going.began
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        print(*going.figures(), sep="\n")  # noqa: T201 - the figures of a run are part of its result
    return going


async def _on(tasks: Sequence[asyncio.Task[None]], *, for_s: float = POLL_S) -> None:
    """Let everybody go on for a moment; raises what ended one of them."""
    done, _ = await asyncio.wait(tasks, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _tell(going: Run) -> None:
    """One line for whoever waits for a long run."""
    stale, some = going.judge.stale.total(), f"{going.reads:,} reads, {len(going.withdrawals):,} withdrawals"
    print(f"{going.seconds:6,.0f} s: {some}, {stale} stale, {len(going.judge.faults)} faults", flush=True)  # noqa: T201
