"""Plans and the finding texts of questionnaires as documents; every read takes a ``Scope``."""

from collections.abc import Callable, Sequence

import msgspec

from contracts.assessment import Texts
from contracts.errors import NotFound
from contracts.events import Event
from contracts.identity import Scope
from contracts.vocabulary import ReportKind
from services.remediation.domain import Plan, told
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

    async def get(self, plan_id: str, scope: Scope, kind: ReportKind = KIND) -> Plan:
        """Read one plan, for its progress ``kind`` says so; raises ``NotFound`` for what is absent or out of scope."""
        plan = (await self._plans.get(plan_id)).state
        is_hidden = scope.buyer_id and plan.report_released_on is None
        if is_hidden or not scope.covers(plan.factory_id, kind, plan.cycle):
            raise NotFound("There is no such plan.")
        return plan

    async def find(self, scope: Scope, *, factory_id: str | None, limit: int, after: str | None) -> Found[Plan]:
        """Read one page of the plans in scope, newest first."""
        sharing = scope.sharing(KIND)
        where = sharing.where(factory="state.factory_id", cycle="state.cycle") if sharing is not None else {}
        if factory_id is not None:
            where = {"$and": [where, {"state.factory_id": factory_id}]} if where else {"state.factory_id": factory_id}
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
        """Apply a decision to a plan in scope, and announce what buyers may read of it; as ``Aggregates.change``."""
        await self.get(plan_id, scope)

        def decided(plan: Plan) -> tuple[Plan, Sequence[Event]]:
            changed, events = decide(plan)
            return changed, (*events, *told(plan, changed))

        return await self._plans.change(plan_id, decided, cause=cause)


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
