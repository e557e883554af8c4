"""Consent measured: ``python -m tests.bench.access``. Prints figures and in-run ratios and asserts none.

Decisions, authorised reads through gateways, revocations, and OpenFGA with the same grants side by side.
"""

import asyncio

import uvloop

from tests.bench import decisions, openfga, reads, revocations

GRANTS, BUYERS = 15_000, 150


async def main(in_memory_us: float) -> None:
    """Measure one after the other what needs servers; everything that is started is stopped."""
    await reads.main(GRANTS, BUYERS)
    await revocations.main()
    await openfga.main(GRANTS, BUYERS, in_memory_us)


if __name__ == "__main__":
    median_us = decisions.main(GRANTS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the product runs
        runner.run(main(median_us))
