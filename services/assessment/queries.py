"""Reading without deciding: lists, and results as a stream of CSV that never holds more than a page of visits."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from contracts.errors import NotFound
from contracts.identity import Scope
from services.assessment.domain.questionnaire import Questionnaire
from services.assessment.domain.results import COLUMNS, rows_of
from services.assessment.store import Factories, Questionnaires, Visits

VISITS_A_PAGE: Final = 20


async def results_csv(
    visits: Visits, questionnaires: Questionnaires, factories: Factories, scope: Scope
) -> AsyncIterator[bytes]:
    """All finalised results in the long format, UTF-8, a page of visits at a time."""
    yield _csv([COLUMNS])
    names: dict[str, str] = {}
    async for page in visits.finalised(scope, page=VISITS_A_PAGE):
        for visit in page:
            questionnaire = await questionnaires.frozen(visit.questionnaire_id, scope)
            if questionnaire.id not in names:
                names[questionnaire.id] = await _tq_name(questionnaires, questionnaire, scope)
            original_id = await _original_id(factories, visit.factory_id, scope)
            yield _csv(rows_of(visit, questionnaire, tq_name=names[questionnaire.id], original_id=original_id))


async def _tq_name(questionnaires: Questionnaires, questionnaire: Questionnaire, scope: Scope) -> str:
    """The title, or title and version where the title alone may mean another one."""
    namesakes = await questionnaires.named(questionnaire.name, scope)
    is_clear = [each.id for each in namesakes] == [questionnaire.id]
    return questionnaire.name if is_clear else questionnaire.full_name


async def _original_id(factories: Factories, factory_id: str, scope: Scope) -> str:
    try:
        return (await factories.get(factory_id, scope)).original_id or factory_id
    except NotFound:
        return factory_id


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
