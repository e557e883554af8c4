"""Loads the demo country through the public API, with the importer that a real country uses."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import stamina

from contracts.identifiers import derived_id
from deploy.client import Client, checked
from deploy.demo.path import QUESTIONNAIRE_ID, WORKBOOK, WORKBOOK_TYPE
from deploy.demo.people import BUYERS, COUNTRY, FACTORIES, GROUP, buyer_id, factory_id
from deploy.demo.register import approvals, group, owned, partnerships
from deploy.demo.register import buyers as buyer_bodies
from deploy.demo.register import factories as factory_bodies
from deploy.demo.results import CYCLES, write_results
from deploy.importer import Progress, import_results
from deploy.results_file import Rejection

AT_ONCE = 8
Tell = Callable[[str], None]


async def load_demo(admin: Client, tell: Tell) -> None:
    """Publish the questionnaire, register everybody, import three cycles, release the reports, grant access.

    Every step is idempotent: after an interruption the next call completes what is missing.
    """
    questionnaire = await publish(admin)
    tell("questionnaire published")
    await register(admin)
    await admin.post("/organisations", group())
    await _each(owned(), lambda factory: _buy(admin, factory))
    tell(f"{FACTORIES} factories and {BUYERS} buyers registered")
    with tempfile.TemporaryDirectory(prefix="star-demo-") as folder:
        results = Path(folder) / "results.csv"
        rows = await asyncio.to_thread(write_results, results, questionnaire)
        told = 0

        def report(progress: Progress, rejected: Sequence[Rejection]) -> None:
            nonlocal told
            for each in rejected:
                tell(f"line {each.line}: {each.reason}")
            if progress.lines - told >= rows // 4 or progress.finalised:
                told = progress.lines
                tell(f"{progress.lines} of {rows} result rows imported, {progress.finalised} visits finalised")

        await import_results(admin, results, report)
    await _release(admin, tell)
    await _each(approvals(), lambda pair: _approve(admin, *pair))
    tell(f"{len(approvals())} grants given")


async def publish(admin: Client) -> Any:
    """Publish the demo questionnaire and return it."""
    path = f"/questionnaires?id={QUESTIONNAIRE_ID}"
    await admin.post(path, data=WORKBOOK.read_bytes(), media_type=WORKBOOK_TYPE)
    await admin.post(f"/questionnaires/{QUESTIONNAIRE_ID}/publication")
    return await admin.get(f"/questionnaires/{QUESTIONNAIRE_ID}")


async def register(admin: Client, *, factories: int = FACTORIES, buyers: int = BUYERS) -> None:
    """Register the first so many demo factories and buyers."""
    await _each(factory_bodies(factories), lambda body: admin.post("/factories", body))
    await _each(buyer_bodies()[:buyers], lambda body: admin.post("/buyers", body))
    await _each(partnerships()[:buyers], lambda body: admin.post("/entitlements", body))


async def _release(admin: Client, tell: Tell) -> None:
    """Release every frozen report as it appears."""
    leader = admin.as_user("leader")
    expected = FACTORIES * CYCLES
    released: set[str] = set()
    while len(released) < expected:
        found = {item["id"] async for item in _all_reports(leader)}
        if fresh := sorted(found - released):
            await _each(fresh, lambda report_id: leader.post(f"/reports/{report_id}/release"))
            released |= set(fresh)
            tell(f"{len(released)} of {expected} reports released")
        else:
            await asyncio.sleep(0.3)


async def _all_reports(leader: Client) -> Any:
    cursor = ""
    while True:
        page = await leader.get(f"/reports?limit=200{cursor}")
        for item in page["items"]:
            yield item
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


async def _buy(admin: Client, factory: str) -> None:
    """Note that a factory belongs to the group."""
    checked(await admin.call("PATCH", f"/factories/{factory}", {"group_id": GROUP.party_id, "reason": "Bought"}))


async def _approve(admin: Client, factory: int, buyer: int) -> None:
    grant_id = derived_id("demo", COUNTRY, "approval", str(factory), str(buyer))
    body = {
        "id": grant_id,
        "factory_id": factory_id(factory),
        "buyer_id": buyer_id(buyer),
        "starts_on": "2023-01-01",
        "purpose": "Supplier due diligence",
    }
    await admin.as_user(f"factory-{factory}").post("/grants", body)


async def _each(items: Iterable[Any], act: Callable[[Any], Awaitable[object]]) -> None:
    """Act on every item, a few at a time; every act may be repeated, so a broken connection is no end."""
    slots = asyncio.Semaphore(AT_ONCE)

    @stamina.retry(on=aiohttp.ClientError, attempts=5)
    async def one(item: Any) -> None:
        async with slots:
            await act(item)

    await asyncio.gather(*(one(item) for item in items))
