"""A country at work: factories, advisors, team leaders and buyers, all at once, from a seed."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from deploy.demo.people import TIME_ZONE, buyer_id, factory_id
from tests.crash import form
from tests.crash.journal import (
    Answered,
    BuyerRegistered,
    EvidenceKept,
    FactoryRegistered,
    Granted,
    LineReported,
    QuestionnairePublished,
    ReportReleased,
    Revoked,
    VisitFinalised,
    VisitScheduled,
)
from tests.crash.persistence import NOT_YET, Line
from tests.crash.readers import read_list, read_one

QUESTIONNAIRE: Final = "short-1"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ADVISORS: Final = ("advisor-1", "advisor-2")
BUYERS: Final = 3
FIRST_DAY: Final = datetime(2026, 1, 5, tzinfo=UTC).date()
PATIENCE_S: Final = 120.0
READ_PAUSE_S: Final = 0.15


class Workload:
    """One actor per factory, going through visit after visit, and one reader per buyer."""

    def __init__(self, line: Line, *, seed: int, factories: int = 4) -> None:
        self._line = line
        self._journal = line.journal
        self._seed = seed
        self._factories = range(1, factories + 1)
        self._stopping = asyncio.Event()
        self._reports: dict[str, list[str]] = {}

    def stop(self) -> None:
        """Let everybody finish the visit they are at."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until ``stop``; raises ``AssertionError`` when something could not be done at all."""
        await self._prepare()
        async with asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(self._reader(number)) for number in range(1, BUYERS + 1)]
            async with asyncio.TaskGroup() as actors:
                for number in self._factories:
                    actors.create_task(self._factory(number))
            for reader in readers:
                reader.cancel()

    async def _prepare(self) -> None:
        path = f"/questionnaires?id={QUESTIONNAIRE}"
        await self._line.expect(201, "admin", "POST", path, data=form.workbook(), media_type=XLSX)
        await self._line.expect(200, "admin", "POST", f"/questionnaires/{QUESTIONNAIRE}/publication")
        self._journal.note(QuestionnairePublished(QUESTIONNAIRE))
        for number in range(1, BUYERS + 1):
            buyer = {"id": buyer_id(number), "name": f"Buyer {number}"}
            await self._line.expect(201, "admin", "POST", "/buyers", buyer)
            partner = {"id": f"partner-{number}", "buyer_id": buyer_id(number), "starts_on": "2020-01-01"}
            await self._line.expect(201, "admin", "POST", "/entitlements", partner)
            self._journal.note(BuyerRegistered(buyer_id(number), f"Buyer {number}"))

    async def _factory(self, number: int) -> None:
        """Register one factory and take it through one cycle after the other."""
        chance = random.Random(f"{self._seed} {number}")
        factory = {"id": factory_id(number), "name": f"Factory {number}", "industry": "C14", "time_zone": TIME_ZONE}
        await self._line.expect(201, "admin", "POST", "/factories", factory)
        self._journal.note(FactoryRegistered(factory_id(number), f"Factory {number}"))
        cycle = 0
        unrevoked: list[Granted] = []
        while not self._stopping.is_set():
            cycle += 1
            await _Cycle(self._line, number, cycle, chance, self._reports, unrevoked).run()

    async def _reader(self, number: int) -> None:
        """Read as a buyer whatever was ever released, and see that nothing is shown that is not shared."""
        chance = random.Random(f"{self._seed} reader {number}")
        while True:
            await asyncio.sleep(READ_PAUSE_S)
            factory = factory_id(chance.choice(self._factories))
            reports = self._reports.get(factory, [])
            if not reports or chance.random() < 0.3:
                await read_list(self._line, number, self._factories)
            else:
                await read_one(self._line, number, factory, chance.choice(reports))


class _Cycle:
    """One visit to one factory and everything that follows from it."""

    def __init__(
        self,
        line: Line,
        number: int,
        cycle: int,
        chance: random.Random,
        reports: dict[str, list[str]],
        unrevoked: list[Granted],
    ) -> None:
        self._line = line
        self._journal = line.journal
        self._number = number
        self._cycle = cycle
        self._chance = chance
        self._reports = reports
        self._unrevoked = unrevoked
        self._factory = factory_id(number)
        self._visit = f"visit-{number}-{cycle}"

    async def run(self) -> None:
        """From the appointment to the approval that is withdrawn again."""
        await self._schedule()
        await asyncio.gather(*(self._assess(advisor) for advisor in ADVISORS))
        await asyncio.gather(*(self._sign(advisor) for advisor in ADVISORS))
        path = f"/visits/{self._visit}"
        await self._line.expect(200, "leader", "POST", f"{path}/finalisation")
        self._journal.note(VisitFinalised(self._visit))
        plan = await self._found(f"factory-{self._number}", "/plans")
        await asyncio.gather(*(self._remedy(plan["id"], line["id"]) for line in plan["lines"][:2]))
        report = await self._found("leader", "/reports")
        await self._line.expect(200, "leader", "POST", f"/reports/{report['id']}/release")
        self._journal.note(ReportReleased(self._visit, report["id"]))
        self._reports.setdefault(self._factory, []).append(report["id"])
        while self._unrevoked:
            await self._revoke(self._unrevoked.pop())
        buyers = self._chance.sample(range(1, BUYERS + 1), 2)
        await asyncio.gather(*(self._share(report["id"], buyer) for buyer in buyers))

    async def _schedule(self) -> None:
        visit = {
            "id": self._visit,
            "factory_id": self._factory,
            "cycle": self._cycle,
            "questionnaire_id": QUESTIONNAIRE,
            "starts_on": (FIRST_DAY + timedelta(days=self._cycle % 180)).isoformat(),
            "advisors": [{"id": ADVISORS[0], "sex": "female"}, {"id": ADVISORS[1], "sex": "male"}],
        }
        # A factory that has just been registered may not have reached the service that schedules.
        await self._line.expect(201, "leader", "POST", "/visits", visit, again_on=NOT_YET)
        self._journal.note(VisitScheduled(self._visit, self._factory, self._cycle))

    async def _assess(self, advisor: str) -> None:
        """Answer in pieces and add a photo between them; both advisors answer one question."""
        mine = form.QUESTIONS[:3] if advisor == ADVISORS[0] else form.QUESTIONS[2:]
        for piece in (mine[:1], mine[1:]):
            await self._answer(advisor, piece)
        photo = b"\x89PNG\r\n\x1a\n" + self._chance.randbytes(self._chance.randint(1_000, 40_000))
        path = f"/visits/{self._visit}/evidence?question_id={mine[0]}"
        kept = await self._line.expect(201, advisor, "POST", path, data=photo, media_type="image/png")
        sha256 = hashlib.sha256(photo).hexdigest()
        if kept["sha256"] != sha256:
            self._journal.fault(f"{path} answered another sha256")
        self._journal.note(EvidenceKept(self._visit, kept["id"], sha256))
        await self._answer(advisor, mine[-1:])

    async def _answer(self, advisor: str, questions: Sequence[str]) -> None:
        now = datetime.now(UTC)
        given = [Answered(self._visit, advisor, each, form.an_answer(each, self._chance), now) for each in questions]
        answers = [
            {"question_id": each.question_id, "value": each.value, "answered_at": each.answered_at.isoformat()}
            for each in given
        ]
        await self._line.expect(200, advisor, "PUT", f"/visits/{self._visit}/answers", {"answers": answers})
        for each in given:
            self._journal.note(each)

    async def _sign(self, advisor: str) -> None:
        await self._line.expect(200, advisor, "POST", f"/visits/{self._visit}/submission")

    async def _found(self, user: str, path: str) -> Any:
        """The document that follows from the visit, once it is there."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                page = await self._line.expect(200, user, "GET", f"{path}?factory_id={self._factory}&limit=200")
                for item in page["items"]:
                    if item["visit_id"] == self._visit:
                        return item
                await asyncio.sleep(0.1)

    async def _remedy(self, plan_id: str, line_id: str) -> None:
        for status in ("in_progress", "completed")[: self._chance.randint(1, 2)]:
            word = {"status": status, "action": f"{status} {self._chance.random():.6f}"}
            path = f"/plans/{plan_id}/lines/{line_id}"
            await self._line.expect(200, f"factory-{self._number}", "PATCH", path, word)
            self._journal.note(LineReported(self._visit, line_id, status, word["action"]))

    async def _share(self, report_id: str, buyer: int) -> None:
        """Approve a buyer, see it read, and (three times of four) withdraw at once and see that it reads no more."""
        factory, reader = f"factory-{self._number}", f"buyer-{buyer}"
        grant_id = f"grant-{self._number}-{self._cycle}-{buyer}"
        self._journal.grants_now(self._factory, buyer_id(buyer))
        grant = {"id": grant_id, "factory_id": self._factory, "buyer_id": buyer_id(buyer), "purpose": "review"}
        await self._line.expect(201, factory, "POST", "/grants", grant)
        given = Granted(grant_id, self._factory, buyer_id(buyer))
        self._journal.note(given)
        await self._line.expect(200, reader, "GET", f"/reports/{report_id}", again_on=NOT_YET)
        if self._chance.random() < 0.15:
            await self._line.expect(200, reader, "GET", f"/reports/{report_id}/file")
        if self._chance.random() < 0.25:
            self._unrevoked.append(given)
            return
        await self._revoke(given)
        await read_one(self._line, buyer, self._factory, report_id)

    async def _revoke(self, given: Granted) -> None:
        await self._line.expect(204, f"factory-{self._number}", "DELETE", f"/grants/{given.grant_id}")
        self._journal.note(Revoked(given.grant_id, given.factory_id, given.buyer_id))
