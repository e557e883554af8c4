"""Measures the importer of results on a country in one process: rates, memory, and in-run ratios."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from deploy.terminal import say
from tests.bench.measuring import Measured, by_row, by_visit, measured, prepared, sent_in_requests, written
from tests.support.star import StarRun

FACTORIES, CYCLES = 150, 3
COMPARED = 20


async def main(factories: int, cycles: int) -> None:
    """Import a whole file and half of one, each into an empty country, then compare with smaller requests."""
    with tempfile.TemporaryDirectory(prefix="star-bench-") as name:
        folder = Path(name)
        whole = await _whole(folder / "whole", factories, cycles)
        half = await _whole(folder / "half", factories, cycles, share=2)
        say(f"\nrate on the whole file against half of it: {whole.rows_per_s / half.rows_per_s:.2f} (1 is flat)")
        say(f"rate on its second half against its first: {whole.second_half:.2f}")
        await _against_smaller_requests(folder / "requests")


async def _whole(folder: Path, factories: int, cycles: int, *, share: int = 1) -> Measured:
    star = StarRun(folder)
    await star.start()
    try:
        ready_mib = star.memory_mib
        questionnaire = await prepared(star, factories)
        path = folder / "results.csv"
        written(path, questionnaire, factories=factories // share, cycles=cycles)
        found = await measured(star, path)
    finally:
        star.close()
    say(f"\n{found.rows:,} rows of {found.visits} visits, {found.rejected} rejected")
    say(f"server when it was ready: {ready_mib:.0f} MiB")
    for each in found.samples:
        say(
            f"{each.share:>5.0%}  {each.rows / each.seconds:>8,.0f} rows/s  {each.seconds:>6.1f} s"
            f"  peak client {each.client_mib:>4.0f} MiB  server {each.server_mib:>4.0f} MiB"
        )
    say(f"recorded:  {found.rows_per_s:>8,.0f} rows/s in {found.rows_s:.1f} s")
    total_s = found.rows_s + found.completion_s
    say(f"completed: {found.rows / total_s:>8,.0f} rows/s in {total_s:.1f} s, {found.completion_s:.1f} s of completion")
    say(f"peak after completion: client {found.client_mib:.0f} MiB, server {found.server_mib:.0f} MiB")
    return found


async def _against_smaller_requests(folder: Path) -> None:
    """The same rows, in one file per way of sending, each way into its own empty country."""
    rates: dict[str, float] = {}
    for way, cut in (("importer", None), ("one visit a request", by_visit), ("one row a request", by_row)):
        star = StarRun(folder / way.replace(" ", "-"))
        await star.start()
        try:
            questionnaire = await prepared(star, COMPARED)
            path = star.folder / "results.csv"
            rows = written(path, questionnaire, factories=2 if cut is by_row else COMPARED, cycles=1)
            if cut is None:
                rates[way] = (await measured(star, path)).rows_per_s
            else:
                async with star.as_user() as admin:
                    rates[way] = rows / await sent_in_requests(admin, path, cut(path))
        finally:
            star.close()
    say("")
    for way, rate in rates.items():
        say(f"{way:<20} {rate:>8,.0f} rows/s   {rates['importer'] / rate:>6.1f} : 1")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--factories", type=int, default=FACTORIES)
    parser.add_argument("--cycles", type=int, default=CYCLES)
    asyncio.run(main(**vars(parser.parse_args())))
