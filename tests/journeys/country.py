"""What people do in a country, as the sentences that journeys are told in."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
from uuid_utils.compat import uuid7

from deploy.client import Answer, Client
from deploy.demo.path import QUESTIONNAIRE_ID, WORKBOOK, WORKBOOK_TYPE, plausible
from deploy.demo.people import TIME_ZONE
from tests.journeys.world import World
from tests.support.eventually import eventually

ADVISORS = ("advisor-1", "advisor-2")
FINDINGS = ("emergency_preparedness_01", "emergency_preparedness_02")
SOON_S = 20.0


class Party(msgspec.Struct, frozen=True):
    """A factory, a buyer or a manufacturing group: its user and its id."""

    user: str
    id: str


class Case(msgspec.Struct, frozen=True):
    """A finalised visit and what followed from it."""

    factory: Party
    visit_id: str
    report_id: str
    plan_id: str


def new_id() -> str:
    """An id that a client made."""
    return str(uuid7())


def today() -> date:
    """Today where the programme is."""
    return datetime.now(ZoneInfo(TIME_ZONE)).date()


class Country:
    """A world as one test sees it."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self.world = world
        self.session = session
        self._people: dict[str, Client] = {}

    def person(self, user: str | Party) -> Client:
        """The API as somebody."""
        name = user if isinstance(user, str) else user.user
        if name not in self._people:
            self._people[name] = Client(self.session, self.world.url, name, self.world.sign_in(self.session))
        return self._people[name]

    async def do(self, user: str | Party, method: str, path: str, body: object = None, **options: Any) -> Answer:
        """Send one request that must succeed."""
        answer = await self.person(user).call(method, path, body, **options)
        assert answer.status < 300, f"{user} {method} {path}: {answer.status} {answer.body[:600]!r}"
        return answer

    async def status(self, user: str | Party, path: str) -> int:
        """The status of a read."""
        return (await self.person(user).call("GET", path)).status

    async def ids(self, user: str | Party, path: str) -> set[str]:
        """The ids of everything on a list, all its pages."""
        found: set[str] = set()
        cursor = ""
        while True:
            separator = "&" if "?" in path else "?"
            page = (await self.do(user, "GET", f"{path}{separator}limit=200{cursor}")).json
            found |= {item["id"] for item in page["items"]}
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def factory(self, **changes: object) -> Party:
        """A factory joins."""
        person = self.world.next_maker()
        party = Party(person.user, person.party_id or "")
        body = {"id": party.id, "name": f"{person.name} Garments", "industry": "C14", "time_zone": TIME_ZONE, **changes}
        await self.do("admin", "POST", "/factories", body)
        return party

    async def buyer(self, *, is_partner: bool = True) -> Party:
        """A buyer joins as a partner, or as a participant that pays for what it reads."""
        person = self.world.next_brand()
        party = Party(person.user, person.party_id or "")
        await self.do("admin", "POST", "/buyers", {"id": party.id, "name": f"{person.name} Fashion"})
        if is_partner:
            await self.do("admin", "POST", "/entitlements", {"id": f"partner-{party.id}", "buyer_id": party.id})
        return party

    async def group(self, *factories: Party) -> Party:
        """A manufacturing group joins, to which factories belong."""
        person = self.world.next_owner()
        party = Party(person.user, person.party_id or "")
        await self.do("admin", "POST", "/organisations", {"id": party.id, "kind": "group", "name": person.name})
        for factory in factories:
            await self.belongs(factory, party.id)
        return party

    async def belongs(self, factory: Party, group_id: str, **changes: object) -> None:
        """A factory belongs to a group from now on, or to none when its id is empty."""
        body = {"group_id": group_id, "reason": "Bought", **changes}
        await self.do("admin", "PATCH", f"/factories/{factory.id}", body)

    async def form(self) -> Any:
        """The form of the published questionnaire; the first who asks publishes it."""
        if self.world.questionnaire is None:
            upload = {"data": WORKBOOK.read_bytes(), "headers": {"content-type": WORKBOOK_TYPE}}
            await self.do("admin", "POST", f"/questionnaires?id={QUESTIONNAIRE_ID}", **upload)
            await self.do("admin", "POST", f"/questionnaires/{QUESTIONNAIRE_ID}/publication")
            self.world.questionnaire = (await self.do("admin", "GET", f"/questionnaires/{QUESTIONNAIRE_ID}")).json
        return self.world.questionnaire["form"]

    async def scheduled_visit(self, factory: Party, **changes: object) -> str:
        """The leader schedules a visit by two advisors, and it is known to them."""
        await self.form()
        body = {
            "id": new_id(),
            "factory_id": factory.id,
            "cycle": 1,
            "questionnaire_id": QUESTIONNAIRE_ID,
            "starts_on": (today() - timedelta(days=2)).isoformat(),
            "advisors": [{"id": ADVISORS[0], "sex": "female"}, {"id": ADVISORS[1], "sex": "male"}],
            **changes,
        }

        async def is_scheduled() -> bool:
            return (await self.person("leader").call("POST", "/visits", body)).status == 201

        await eventually(is_scheduled, SOON_S, saying="the visit scheduled, once the factory is known to assessment")
        return str(body["id"])

    async def answer(
        self, visit_id: str, advisor: str, values: Mapping[str, object], *, note: str = "", at: datetime | None = None
    ) -> Any:
        """An advisor answers some questions."""
        given = {"note": note, "answered_at": (at or datetime.now(UTC)).isoformat()}
        answers = [{"question_id": question, "value": value, **given} for question, value in values.items()]
        return (await self.do(advisor, "PUT", f"/visits/{visit_id}/answers", {"answers": answers})).json

    async def answer_all(
        self, visit_id: str, *, findings: Collection[str] = FINDINGS, note: str = "", text: str = "On every floor."
    ) -> None:
        """Each advisor answers half of the questions; the rated ones among ``findings`` the bad way."""
        questions = (await self.form())["questions"]
        values = {
            question["id"]: plausible(question, text, is_bad=question["id"] in findings) for question in questions
        }
        half = len(values) // 2
        for advisor, part in zip(ADVISORS, (list(values)[:half], list(values)[half:]), strict=True):
            await self.answer(visit_id, advisor, {question: values[question] for question in part}, note=note)

    async def sign(self, visit_id: str) -> None:
        """Both advisors sign."""
        for advisor in ADVISORS:
            await self.do(advisor, "POST", f"/visits/{visit_id}/submission")

    async def finalised_visit(self, factory: Party, *, findings: Collection[str] = FINDINGS, **changes: object) -> str:
        """A visit from its schedule to its end."""
        visit_id = await self.scheduled_visit(factory, **changes)
        await self.answer_all(visit_id, findings=findings)
        await self.sign(visit_id)
        await self.do("leader", "POST", f"/visits/{visit_id}/finalisation")
        return visit_id

    async def followed_up(self, factory: Party, visit_id: str) -> Case:
        """Wait for the report and the plan of a finalised visit."""
        query = f"?factory_id={factory.id}"
        report = await self.until_listed("leader", f"/reports{query}", lambda item: item["visit_id"] == visit_id)
        plan = await self.until_listed("leader", f"/plans{query}", lambda item: item["visit_id"] == visit_id)
        await self.until_listed(
            "leader", f"/training/recommendations{query}", lambda item: item["visit_id"] == visit_id
        )
        return Case(factory, visit_id, report["id"], plan["id"])

    async def released(self, case: Case) -> Case:
        """The leader releases the report, and the plan knows it."""
        await self.do("leader", "POST", f"/reports/{case.report_id}/release")
        path = f"/plans?factory_id={case.factory.id}"
        is_told: Callable[[Any], bool] = lambda item: item["id"] == case.plan_id and item["report_released_on"]  # noqa: E731
        await self.until_listed("leader", path, is_told)
        return case

    async def a_released_case(self, factory: Party | None = None, **changes: Any) -> Case:
        """A factory's visit, finalised and followed up, its report released."""
        factory = factory or await self.factory()
        return await self.released(await self.followed_up(factory, await self.finalised_visit(factory, **changes)))

    async def until_listed(self, user: str | Party, path: str, wanted: Callable[[Any], Any]) -> Any:
        """Wait until a list holds what is wanted, and return that."""

        async def listed() -> Any:
            page = (await self.do(user, "GET", path)).json
            return next((item for item in page["items"] if wanted(item)), None)

        return await eventually(listed, SOON_S, saying=f"what is wanted on {path}")

    async def grant(self, case: Case, buyer: Party, **terms: object) -> str:
        """The factory approves a buyer."""
        body = {"id": new_id(), "factory_id": case.factory.id, "buyer_id": buyer.id, "purpose": "review", **terms}
        await self.do(case.factory, "POST", "/grants", body)
        return str(body["id"])

    async def revoke(self, case: Case, grant_id: str) -> None:
        """The factory withdraws an approval."""
        answer = await self.do(case.factory, "DELETE", f"/grants/{grant_id}")
        assert answer.status == 204

    async def disclosure(self, case: Case, buyers: Collection[Party], **terms: object) -> str:
        """The leader asks to show buyers something without consent, and the administrator confirms it."""
        body = {
            "id": new_id(),
            "factory_id": case.factory.id,
            "buyer_ids": [buyer.id for buyer in buyers],
            "kinds": ["assessment"],
            "ends_on": (today() + timedelta(days=7)).isoformat(),
            "case": "Case 7",
            "reason": "Imminent danger that was reported",
            **terms,
        }
        await self.do("leader", "POST", "/disclosures", body)
        await self.do("admin", "POST", f"/disclosures/{body['id']}/confirmation")
        return str(body["id"])

    async def until_readable(self, buyer: Party, path: str) -> None:
        """Wait until a grant has reached the gateway."""

        async def is_readable() -> bool:
            return await self.status(buyer, path) == 200

        await eventually(is_readable, SOON_S, saying=f"{buyer.user} reads {path}")

    async def until_decided_at(self, buyer: Party, epoch: int) -> None:
        """Wait until the gateway decides by everything up to this entry of the consent ledger."""

        async def is_reached() -> bool:
            answer = await self.do(buyer, "GET", "/reports")
            return int(answer.headers["star-epoch"]) >= epoch

        await eventually(is_reached, SOON_S, saying=f"the gateway at epoch {epoch}")


@contextlib.asynccontextmanager
async def country_of(world: World) -> AsyncIterator[Country]:
    """A world with a session of its own."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Country(world, session)
