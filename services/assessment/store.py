"""Documents of this service as its aggregates; every read takes a ``Scope`` and finds nothing outside of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from contracts.errors import Conflict, NotFound
from contracts.events import Event
from contracts.identity import Scope
from services.assessment.domain.factory import Factory
from services.assessment.domain.imports import Import
from services.assessment.domain.questionnaire import Questionnaire, VersionAlreadyPublished
from services.assessment.domain.stages import QuestionnaireStage, VisitStage
from services.assessment.domain.visit import Visit
from services.runtime.aggregates import Aggregates, Found
from services.runtime.bus import Delivery
from services.runtime.documents import Collection, Document, DuplicateKey, Index

QUESTIONNAIRE_INDEXES: Final = (
    Index(("state.published_as",), unique=True, sparse=True),
    Index(("state.name",)),
    Index(("state.full_name",)),
)
VISIT_INDEXES: Final = (
    Index(("state.place",), unique=True, sparse=True),
    Index(("state.stage", "_id")),
    Index(("state.factory_id",)),
    Index(("state.origin.import_id",), sparse=True),
)
FACTORY_INDEXES: Final = (Index(("state.original_id",)),)

MOST_CACHED: Final = 16
POLL_S: Final = 0.1
_FROZEN: Final = [QuestionnaireStage.PUBLISHED.value, QuestionnaireStage.RETIRED.value]


class Questionnaires:
    """The questionnaires; drafts are seen by those who see the whole country."""

    def __init__(self, aggregates: Aggregates[Questionnaire]) -> None:
        self._aggregates = aggregates
        self._cache: dict[str, Questionnaire] = {}

    async def get(self, questionnaire_id: str, scope: Scope) -> Questionnaire:
        """Read one; raises ``NotFound``."""
        found = (await self._aggregates.get(questionnaire_id)).state
        return _seen(found, scope)

    async def frozen(self, questionnaire_id: str, scope: Scope) -> Questionnaire:
        """Read a published or retired one; its content, which never changes, may come from memory."""
        found = self._cache.get(questionnaire_id)
        if found is None:
            found = (await self._aggregates.get(questionnaire_id)).state
            if not found.is_frozen:
                raise NotFound("There is no such questionnaire.")
            while len(self._cache) >= MOST_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[questionnaire_id] = found
        return _seen(found, scope)

    async def named(self, tq_name: str, scope: Scope) -> list[Questionnaire]:
        """The published and retired ones that a TQ name may mean, at most ten."""
        names = {"$or": [{"state.name": tq_name}, {"state.full_name": tq_name}]}
        where = {"$and": [names, {"state.country": scope.country, "state.stage": {"$in": _FROZEN}}]}
        found = (await self._aggregates.find(where, limit=10)).items
        exact = [each for each in found if each.full_name == tq_name]
        chosen = exact or found
        return [await self.frozen(each.id, scope) for each in chosen]

    async def find(self, scope: Scope, *, limit: int, after: str | None) -> Found[Questionnaire]:
        """Read one page."""
        where: Document = {"state.country": scope.country}
        if scope.factories is not None:
            where["state.stage"] = {"$in": _FROZEN}
        return await self._aggregates.find(where, limit=limit, after=after)

    async def create(self, questionnaire: Questionnaire) -> bool:
        """Store a draft; ``False`` when the same workbook was uploaded with this id before."""
        request = (questionnaire.country, questionnaire.workbook.sha256)
        return await self._aggregates.create(questionnaire.id, questionnaire, request=request)

    async def change(
        self,
        questionnaire_id: str,
        scope: Scope,
        decide: Callable[[Questionnaire], tuple[Questionnaire, Sequence[Event]]],
    ) -> Questionnaire:
        """Apply a decision; raises ``VersionAlreadyPublished`` when another document is this version already."""
        try:
            return await self._aggregates.change(questionnaire_id, lambda present: decide(_seen(present, scope)))
        except DuplicateKey:
            raise VersionAlreadyPublished("This version of the form was published from another workbook.") from None


def _seen(questionnaire: Questionnaire, scope: Scope) -> Questionnaire:
    if questionnaire.country != scope.country or (scope.factories is not None and not questionnaire.is_frozen):
        raise NotFound("There is no such questionnaire.")
    return questionnaire


class Visits:
    """The visits, by the factories in scope."""

    def __init__(self, aggregates: Aggregates[Visit], collection: Collection) -> None:
        self._aggregates = aggregates
        self._collection = collection

    async def get(self, visit_id: str, scope: Scope) -> Visit:
        """Read one; raises ``NotFound``."""
        return _covered((await self._aggregates.get(visit_id)).state, scope)

    async def find(
        self, scope: Scope, *, factory_id: str | None, stage: VisitStage | None, limit: int, after: str | None
    ) -> Found[Visit]:
        """Read one page, in the order of the ids."""
        conditions = [_covering(scope)]
        if factory_id is not None:
            conditions.append({"state.factory_id": factory_id})
        if stage is not None:
            conditions.append({"state.stage": stage.value})
        return await self._aggregates.find({"$and": conditions}, limit=limit, after=after)

    async def at_place(self, place: str, scope: Scope) -> Visit | None:
        """The visit that has this factory, cycle and questionnaire."""
        found = await self._aggregates.find({"$and": [_covering(scope), {"state.place": place}]}, limit=1)
        return found.items[0] if found.items else None

    async def finalised(self, scope: Scope, *, page: int) -> AsyncIterator[list[Visit]]:
        """Walk all finalised visits, ``page`` at a time."""
        cursor = None
        where = {"$and": [{"state.stage": VisitStage.FINALISED.value}, _covering(scope)]}
        while True:
            found = await self._aggregates.find(where, limit=page, after=cursor)
            if found.items:
                yield found.items
            cursor = found.next_cursor
            if cursor is None:
                return

    async def awaiting(self, import_id: str, scope: Scope, *, limit: int) -> list[Visit]:
        """Imported visits that can be finalised now."""
        return (await self._aggregates.find(_awaiting(import_id, scope), limit=limit)).items

    async def count_awaiting(self, import_id: str, scope: Scope) -> int:
        """How many imported visits are still to be finalised."""
        return await self._collection.count(_awaiting(import_id, scope))

    async def create(self, visit: Visit, *, request: object) -> bool:
        """Store a new visit; ``False`` when it was created from an equal request before."""
        return await self._aggregates.create(visit.id, visit, request=request)

    async def change(
        self, visit_id: str, scope: Scope, decide: Callable[[Visit], tuple[Visit, Sequence[Event]]]
    ) -> Visit:
        """Apply a decision to a visit in scope; raises ``NotFound`` and what the decision refuses."""
        return await self._aggregates.change(visit_id, lambda present: decide(_covered(present, scope)))


def _covered(visit: Visit, scope: Scope) -> Visit:
    if not scope.covers(visit.factory_id):
        raise NotFound("There is no such visit.")
    return visit


def _covering(scope: Scope) -> Document:
    return {} if scope.factories is None else {"state.factory_id": {"$in": sorted(scope.factories)}}


def _awaiting(import_id: str, scope: Scope) -> Document:
    """Where imported visits wait for completion; the ones that were refused wait for other rows."""
    unfinished = [VisitStage.SCHEDULED.value, VisitStage.UNDER_WAY.value]
    mine = {"state.origin.import_id": import_id, "state.stage": {"$in": unfinished}, "state.origin.refusal": None}
    return {"$and": [mine, _covering(scope)]}


class Factories:
    """The cards of factories, kept from their registration."""

    def __init__(self, aggregates: Aggregates[Factory]) -> None:
        self._aggregates = aggregates

    async def keep(self, factory: Factory, *, cause: Delivery) -> None:
        """Keep a card; the same event again changes nothing, and of several the newest stays."""
        try:
            await self._aggregates.create(factory.id, factory, cause=cause)
        except Conflict:
            await self._aggregates.change(factory.id, lambda _: (factory, ()), cause=cause)

    async def get(self, factory_id: str, scope: Scope) -> Factory:
        """Read one card; raises ``NotFound``."""
        found = (await self._aggregates.get(factory_id)).state
        if found.country != scope.country or not scope.covers(factory_id):
            raise NotFound("There is no such factory.")
        return found

    async def expect(self, factory_id: str, scope: Scope, *, within_s: float) -> Factory:
        """Read one card, waiting a little for a registration that is on its way; raises ``NotFound``."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + within_s
        while True:
            try:
                return await self.get(factory_id, scope)
            except NotFound:
                if clock() >= deadline:
                    raise NotFound("There is no such factory.") from None
            await asyncio.sleep(POLL_S)

    async def by_original_id(self, original_ids: Sequence[str], scope: Scope) -> dict[str, list[Factory]]:
        """The cards with these original ids; two factories may claim the same."""
        found: dict[str, list[Factory]] = {}
        for start in range(0, len(original_ids), 200):
            wanted = {"state.original_id": {"$in": list(original_ids[start : start + 200])}}
            cursor = None
            while True:
                page = await self._aggregates.find(wanted, limit=400, after=cursor)
                for card in page.items:
                    if card.country == scope.country and scope.covers(card.id):
                        found.setdefault(card.original_id, []).append(card)
                cursor = page.next_cursor
                if cursor is None:
                    break
        return found


class Imports:
    """The imports of results files; only those who see the whole country have any."""

    def __init__(self, aggregates: Aggregates[Import]) -> None:
        self._aggregates = aggregates

    async def get(self, import_id: str, scope: Scope) -> Import:
        """Read one; raises ``NotFound``."""
        _refuse_part(scope)
        return (await self._aggregates.get(import_id)).state

    async def create(self, new: Import) -> bool:
        """Store a new import; ``False`` when the same file was announced before."""
        return await self._aggregates.create(new.id, new, request=new.file_sha256)

    async def change(self, import_id: str, scope: Scope, decide: Callable[[Import], Import]) -> Import:
        """Apply a decision."""
        _refuse_part(scope)
        return await self._aggregates.change(import_id, lambda present: (decide(present), ()))


def _refuse_part(scope: Scope) -> None:
    if scope.factories is not None:
        raise NotFound("There is no such import.")
