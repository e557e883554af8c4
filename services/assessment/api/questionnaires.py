"""The routes of questionnaires: upload an XLSForm workbook, publish it, read it."""

from datetime import UTC, datetime

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.response import Stream
from uuid_utils.compat import uuid7

from contracts.assessment import Texts
from contracts.identity import Principal
from contracts.permissions import Permission
from services.assessment.api.lists import Cursor, Listing, OwnId
from services.assessment.domain.questionnaire import Form, Questionnaire
from services.assessment.domain.stages import QuestionnaireStage
from services.assessment.evidence import LARGEST_WORKBOOK, XLSX, Evidences
from services.assessment.store import Questionnaires
from services.assessment.usecases.questionnaires import (
    publish_questionnaire,
    retire_questionnaire,
    upload_questionnaire,
)
from services.runtime.http import Injected, PageSize, requires
from services.runtime.openapi import of_bytes


class QuestionnaireSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A questionnaire without its questions; ``tq_name`` is what results may always call it."""

    id: str
    stage: QuestionnaireStage
    country: str
    industry: str
    form_id: str
    version: str
    default_language: str
    languages: tuple[str, ...]
    titles: Texts
    tq_name: str
    rated_questions: int
    facts: int
    workbook_sha256: str
    uploaded_at: datetime
    published_at: datetime | None
    retired_at: datetime | None


class QuestionnaireView(QuestionnaireSummary, frozen=True, kw_only=True):
    """A questionnaire with its groups and questions in all languages."""

    form: Form


@post(
    "/questionnaires",
    guards=[requires(Permission.QUESTIONNAIRE_PUBLISH)],
    request_max_body_size=LARGEST_WORKBOOK,
    operation_class=of_bytes(takes=(XLSX,)),
    summary="Upload an XLSForm workbook (.xlsx) as the draft of a questionnaire version",
)
async def upload(
    request: Request[object, object, State],
    principal: Injected[Principal],
    questionnaires: Injected[Questionnaires],
    evidences: Injected[Evidences],
    own_id: OwnId = None,
) -> QuestionnaireSummary:
    """The body is the workbook; a faulty one is answered with every fault, its sheet and row."""
    created = await upload_questionnaire(
        questionnaires,
        evidences,
        await request.body(),
        questionnaire_id=own_id or str(uuid7()),
        principal=principal,
        now=datetime.now(UTC),
    )
    return _summary(created)


@post(
    "/questionnaires/{questionnaire_id:str}/publication",
    guards=[requires(Permission.QUESTIONNAIRE_PUBLISH)],
    status_code=200,
)
async def publish(
    questionnaire_id: str, principal: Injected[Principal], questionnaires: Injected[Questionnaires]
) -> QuestionnaireSummary:
    """Freeze a version for good."""
    now = datetime.now(UTC)
    return _summary(await publish_questionnaire(questionnaires, questionnaire_id, principal=principal, now=now))


@post(
    "/questionnaires/{questionnaire_id:str}/retirement",
    guards=[requires(Permission.QUESTIONNAIRE_PUBLISH)],
    status_code=200,
)
async def retire(
    questionnaire_id: str, principal: Injected[Principal], questionnaires: Injected[Questionnaires]
) -> QuestionnaireSummary:
    """Take a version out of use for new visits."""
    now = datetime.now(UTC)
    return _summary(await retire_questionnaire(questionnaires, questionnaire_id, principal=principal, now=now))


@get("/questionnaires", guards=[requires(Permission.QUESTIONNAIRE_READ)])
async def list_questionnaires(
    principal: Injected[Principal],
    questionnaires: Injected[Questionnaires],
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Listing[QuestionnaireSummary]:
    """The questionnaires of the country; drafts are shown to the programme only."""
    found = await questionnaires.find(principal.scope(), limit=limit, after=cursor)
    return Listing([_summary(each) for each in found.items], found.next_cursor)


@get("/questionnaires/{questionnaire_id:str}", guards=[requires(Permission.QUESTIONNAIRE_READ)])
async def read(
    questionnaire_id: str, principal: Injected[Principal], questionnaires: Injected[Questionnaires]
) -> QuestionnaireView:
    """One questionnaire with its questions."""
    found = await questionnaires.get(questionnaire_id, principal.scope())
    return QuestionnaireView(**msgspec.structs.asdict(_summary(found)), form=found.form)


@get("/questionnaires/{questionnaire_id:str}/file", guards=[requires(Permission.QUESTIONNAIRE_READ)], media_type=XLSX)
async def workbook(
    questionnaire_id: str,
    principal: Injected[Principal],
    questionnaires: Injected[Questionnaires],
    evidences: Injected[Evidences],
) -> Stream:
    """The workbook as it was uploaded."""
    found = await questionnaires.get(questionnaire_id, principal.scope())
    headers = {
        "content-disposition": f'attachment; filename="{found.id}.xlsx"',
        "content-length": str(found.workbook.size),
        "x-content-type-options": "nosniff",
    }
    return Stream(await evidences.open_workbook(found), headers=headers, media_type=XLSX)


def _summary(questionnaire: Questionnaire) -> QuestionnaireSummary:
    form = questionnaire.form
    rated = sum(question.is_rated for question in form.questions)
    return QuestionnaireSummary(
        id=questionnaire.id,
        stage=questionnaire.stage,
        country=form.country,
        industry=form.industry,
        form_id=form.form_id,
        version=form.version,
        default_language=form.default_language,
        languages=form.languages,
        titles=form.titles,
        tq_name=questionnaire.full_name,
        rated_questions=rated,
        facts=len(form.questions) - rated,
        workbook_sha256=questionnaire.workbook.sha256,
        uploaded_at=questionnaire.uploaded_at,
        published_at=questionnaire.published_at,
        retired_at=questionnaire.retired_at,
    )


ROUTES = [upload, publish, retire, list_questionnaires, read, workbook]
