"""Uploading, publishing and retiring questionnaires."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from contracts.events import Event
from contracts.identity import Principal
from services.assessment.domain.questionnaire import Questionnaire, draft
from services.assessment.domain.sheets import WorkbookFaulty
from services.assessment.domain.stages import QuestionnaireStage
from services.assessment.domain.xlsform import form_of
from services.assessment.evidence import LARGEST_WORKBOOK, Evidences, sheets_of
from services.assessment.store import Questionnaires


async def upload_questionnaire(
    questionnaires: Questionnaires,
    evidences: Evidences,
    content: bytes,
    *,
    questionnaire_id: str,
    principal: Principal,
    now: datetime,
) -> Questionnaire:
    """Make a draft of an XLSForm workbook and keep the workbook; raises ``WorkbookFaulty`` with every fault."""
    if len(content) > LARGEST_WORKBOOK:
        raise WorkbookFaulty(f"A workbook has at most {LARGEST_WORKBOOK} bytes.")
    # Unpacking and reading takes a second of CPU: other requests go on meanwhile.
    sheets = await asyncio.to_thread(sheets_of, content)
    form = form_of(sheets, country=principal.country)
    workbook = await evidences.keep_workbook(questionnaire_id, content)
    new = draft(questionnaire_id, form, workbook, by=principal.subject, now=now)
    if await questionnaires.create(new):
        return new
    return await questionnaires.get(questionnaire_id, principal.scope())


async def publish_questionnaire(
    questionnaires: Questionnaires, questionnaire_id: str, *, principal: Principal, now: datetime
) -> Questionnaire:
    """Freeze a version and announce it; again changes nothing."""

    def publish(present: Questionnaire) -> tuple[Questionnaire, Sequence[Event]]:
        if present.stage is QuestionnaireStage.PUBLISHED:
            return present, ()
        published, event = present.publish(by=principal.subject, now=now)
        return published, (event,)

    return await questionnaires.change(questionnaire_id, principal.scope(), publish)


async def retire_questionnaire(
    questionnaires: Questionnaires, questionnaire_id: str, *, principal: Principal, now: datetime
) -> Questionnaire:
    """Take a version out of use for new visits; again changes nothing."""

    def retire(present: Questionnaire) -> tuple[Questionnaire, Sequence[Event]]:
        is_done = present.stage is QuestionnaireStage.RETIRED
        return (present if is_done else present.retire(now=now)), ()

    return await questionnaires.change(questionnaire_id, principal.scope(), retire)
