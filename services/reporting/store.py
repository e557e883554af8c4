"""Reports, results, factory cards and questionnaires as documents; every read takes a ``Scope``."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from contracts.assessment import QuestionnairePublishedV1
from contracts.errors import Conflict, NotFound
from contracts.events import Event
from contracts.identifiers import derived_id
from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.reporting.domain.aggregate import FactoryResult
from services.reporting.domain.report import Report, Stage
from services.reporting.domain.snapshot import FactoryCard
from services.runtime.aggregates import Aggregates, Found
from services.runtime.bus import Delivery
from services.runtime.documents import Documents, Index
from services.runtime.relay import Relay

KIND: Final = ReportKind.ASSESSMENT
PAGE: Final = 500
CACHED_QUESTIONNAIRES: Final = 8


class FrozenQuestionnaire(msgspec.Struct, frozen=True):
    """A published questionnaire, kept whole: it never changes."""

    event: QuestionnairePublishedV1


class Cards:
    """What reporting knows of each factory."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        self._cards = Aggregates(documents.collection("cards"), FactoryCard, source=source, relay=relay)

    async def get(self, factory_id: str, scope: Scope) -> FactoryCard:
        """Read a card; raises ``NotFound`` for what has not arrived or is out of scope."""
        if not scope.covers(factory_id):
            raise NotFound("There is no such factory.")
        return (await self._cards.get(factory_id)).state

    async def keep(self, card: FactoryCard, cause: Delivery) -> None:
        """Keep a card; of two announcements of the same factory the later one stays."""
        try:
            await self._cards.create(card.factory_id, card, cause=cause)
        except Conflict:
            await self._cards.change(card.factory_id, lambda _: (card, ()), cause=cause)


class Questionnaires:
    """The published questionnaires of the country: reference texts that every party may read."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        collection = documents.collection("questionnaires")
        self._kept = Aggregates(collection, FrozenQuestionnaire, source=source, relay=relay)
        self._recent: OrderedDict[str, QuestionnairePublishedV1] = OrderedDict()

    async def get(self, questionnaire_id: str, _: Scope) -> QuestionnairePublishedV1:
        """Read a questionnaire; raises ``NotFound`` for one that has not arrived."""
        found = self._recent.get(questionnaire_id)
        if found is None:
            found = (await self._kept.get(questionnaire_id)).state.event
            self._recent[questionnaire_id] = found
            if len(self._recent) > CACHED_QUESTIONNAIRES:
                self._recent.popitem(last=False)
        self._recent.move_to_end(questionnaire_id)
        return found

    async def keep(self, event: QuestionnairePublishedV1, cause: Delivery) -> None:
        """Keep a questionnaire; a second publication under the same id is refused."""
        await self._kept.create(event.questionnaire_id, FrozenQuestionnaire(event), cause=cause)


class Reports:
    """Reports. Until a report is released only the programme, whose scope is the whole country, sees it."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (
            Index(("state.visited_on",)),
            Index(("state.factory_id", "state.visited_on")),
            Index(("state.cycle", "state.visited_on")),
        )
        collection = documents.collection("reports", indexes)
        self._reports = Aggregates(collection, Report, source=source, relay=relay)

    async def get(self, report_id: str, scope: Scope) -> Report:
        """Read one report; raises ``NotFound`` for what is absent, not released yet or out of scope."""
        report = (await self._reports.get(report_id)).state
        if not _is_visible(report, scope):
            raise NotFound("There is no such report.")
        return report

    async def find(
        self, scope: Scope, *, factory_id: str | None, cycle: int | None, limit: int, after: str | None
    ) -> Found[Report]:
        """Read one page of the visible reports, latest visit first."""
        where: dict[str, Any] = {"state.country": scope.country}
        sharing = scope.sharing(KIND)
        if sharing is not None:
            where["state.stage"] = Stage.RELEASED.value
            where |= sharing.where(factory="state.factory_id", cycle="state.cycle")
        if factory_id is not None:
            where = {"$and": [where, {"state.factory_id": factory_id}]}
        if cycle is not None:
            where = {"$and": [where, {"state.cycle": cycle}]}
        return await self._reports.find(where, sort=[("state.visited_on", -1)], limit=limit, after=after)

    async def create(self, report: Report, events: Sequence[Event], cause: Delivery) -> None:
        """Store a new report; the same visit makes one report only."""
        await self._reports.create(report.id, report, events, cause=cause)

    async def change(
        self, report_id: str, scope: Scope, decide: Callable[[Report], tuple[Report, Sequence[Event]]]
    ) -> Report:
        """Apply a decision to a visible report; raises ``NotFound`` and ``Conflict``."""
        await self.get(report_id, scope)
        return await self._reports.change(report_id, decide)


class Results:
    """The outcome of each factory in each cycle, one small document for each."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        collection = documents.collection("results", (Index(("state.cycle",)),))
        self._results = Aggregates(collection, FactoryResult, source=source, relay=relay)

    async def note(self, result: FactoryResult, cause: Delivery) -> None:
        """Note what a visit said; visits may arrive in any order and more than once."""
        result_id = derived_id("result", result.factory_id, str(result.cycle))
        try:
            await self._results.create(result_id, result, cause=cause)
        except Conflict:
            await self._results.change(result_id, lambda present: (present.with_visit(result.visit), ()), cause=cause)

    async def of_country(self, scope: Scope, *, cycle: int | None) -> list[FactoryResult]:
        """Read the results of the caller's whole country: only figures that hide small groups may leave the service."""
        where: Mapping[str, Any] = {"state.country": scope.country}
        if cycle is not None:
            where = {**where, "state.cycle": cycle}
        found: list[FactoryResult] = []
        after: str | None = None
        while True:
            page = await self._results.find(where, limit=PAGE, after=after)
            found += page.items
            if (after := page.next_cursor) is None:
                return found


def _is_visible(report: Report, scope: Scope) -> bool:
    if report.country != scope.country or not scope.covers(report.factory_id, KIND, report.cycle):
        return False
    return report.stage is Stage.RELEASED or scope.sharing(KIND) is None
