"""Plans and the finding texts of questionnaires as documents; every read takes a ``Scope``."""

from collections.abc import Callable, Sequence

import msgspec

from contracts.assessment import Texts
from contracts.errors import NotFound
from contracts.events import Event
from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.remediation.domain import Plan
from services.runtime.aggregates import Aggregates, Found
from services.runtime.bus import Delivery
from services.runtime.documents import Documents, Index
from services.runtime.relay import Relay

KIND = ReportKind.IMPROVEMENT_PLAN


class FindingTexts(msgspec.Struct, frozen=True):
    """The finding statements of a published questionnaire, by question and language."""

    texts: dict[str, Texts]


class Plans:
    """Improvement plans. A buyer sees those that were shared with it, and only once the report is released."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        indexes = (Index(("state.factory_id", "state.opened_at")), Index(("state.opened_at",)))
        collection = documents.collection("plans", indexes)
        self._plans = Aggregates(collection, Plan, source=source, relay=relay)

    async def get(self, plan_id: str, scope: Scope) -> Plan:
        """Read one plan; raises ``NotFound`` for what is absent or out of scope."""
        plan = (await self._plans.get(plan_id)).state
        if not scope.covers(plan.factory_id, KIND) or (scope.buyer_id and plan.report_released_on is None):
            raise NotFound("There is no such plan.")
        return plan

    async def find(self, scope: Scope, *, factory_id: str | None, limit: int, after: str | None) -> Found[Plan]:
        """Read one page of the plans in scope, newest first."""
        where: dict[str, object] = {}
        factories = scope.factories_for(KIND)
        if factory_id is not None:
            if not scope.covers(factory_id, KIND):
                return Found([], None)
            where["state.factory_id"] = factory_id
        elif factories is not None:
            where["state.factory_id"] = {"$in": sorted(factories)}
        if scope.buyer_id:
            where["state.report_released_on"] = {"$gt": ""}
        return await self._plans.find(where, sort=[("state.opened_at", -1)], limit=limit, after=after)

    async def open(self, plan: Plan, events: Sequence[Event], cause: Delivery) -> None:
        """Store a new plan; the same visit opens one plan only."""
        await self._plans.create(plan.id, plan, events, cause=cause)

    async def change(
        self,
        plan_id: str,
        scope: Scope,
        decide: Callable[[Plan], tuple[Plan, Sequence[Event]]],
        *,
        cause: Delivery | None = None,
    ) -> Plan:
        """Apply a decision to a plan in scope; raises ``NotFound`` and ``Conflict``."""
        await self.get(plan_id, scope)
        return await self._plans.change(plan_id, decide, cause=cause)


class Findings:
    """The finding statements that plans print; public reference texts of the country."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        collection = documents.collection("finding_texts")
        self._texts = Aggregates(collection, FindingTexts, source=source, relay=relay)

    async def keep(self, questionnaire_id: str, texts: FindingTexts, cause: Delivery) -> None:
        """Keep the texts of a published questionnaire; it is frozen, so the first copy stays."""
        await self._texts.create(questionnaire_id, texts, cause=cause)

    async def of(self, questionnaire_id: str, _: Scope) -> dict[str, Texts]:
        """The finding texts by question; empty while the questionnaire has not arrived."""
        try:
            return (await self._texts.get(questionnaire_id)).state.texts
        except NotFound:
            return {}
