"""What the programme does with reports: freeze them when a visit is closed, and release them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec

from contracts.access import FactoryChangedV1, FactoryRegisteredV1
from contracts.assessment import QuestionnairePublishedV1, VisitFinalisedV1, VisitScope
from contracts.errors import NotFound
from contracts.identifiers import derived_id
from contracts.identity import Principal, Scope
from contracts.reporting import ReportReleasedV1
from services.reporting.domain.aggregate import FactoryResult
from services.reporting.domain.freezing import take
from services.reporting.domain.rates import VisitResult, point_counts
from services.reporting.domain.report import Report
from services.reporting.domain.snapshot import FactoryCard, canonical
from services.reporting.evidence.files import ReportFiles
from services.reporting.store import Cards, Questionnaires, Reports, Results
from services.runtime.bus import Delivery


class Archive(msgspec.Struct, frozen=True):
    """The stores that freezing a report touches."""

    cards: Cards
    questionnaires: Questionnaires
    reports: Reports
    results: Results
    files: ReportFiles


async def keep_card(cards: Cards, event: FactoryRegisteredV1 | FactoryChangedV1, *, cause: Delivery) -> None:
    """Keep what reports say about a factory."""
    await cards.keep(msgspec.convert(msgspec.to_builtins(event), FactoryCard), cause)


async def keep_questionnaire(
    questionnaires: Questionnaires, event: QuestionnairePublishedV1, *, cause: Delivery
) -> None:
    """Keep a questionnaire with all its texts."""
    await questionnaires.keep(event, cause)


async def freeze_report(
    archive: Archive, event: VisitFinalisedV1, *, country: str, cause: Delivery, now: datetime
) -> None:
    """Freeze the report of a closed visit, and note the visit for the rates.

    Raises ``NotFound`` while the factory's card or the questionnaire has not arrived. The report's document is
    written last: whatever stops before is simply done again.
    """
    scope = Scope.whole(country)
    report_id = derived_id("report", event.visit_id)
    try:
        await archive.reports.get(report_id, scope)
    except NotFound:
        card = await archive.cards.get(event.factory_id, scope)
        questionnaire = await archive.questionnaires.get(event.questionnaire_id, scope)
        snapshot = take(report_id, event, questionnaire, card)
        content = canonical(snapshot)
        sha256 = await archive.files.keep_snapshot(report_id, content)
        await archive.results.note(_result(event, card, country), cause)
        report, events = Report.of(snapshot, card, country=country, sha256=sha256, size=len(content), now=now)
        await archive.reports.create(report, events, cause)


def _result(event: VisitFinalisedV1, card: FactoryCard, country: str) -> FactoryResult:
    """What rates need to know of a visit."""
    return FactoryResult(
        factory_id=event.factory_id,
        country=country,
        cycle=event.cycle,
        industry=card.industry,
        owner_group=card.owner_group,
        visit=VisitResult(
            factory_id=event.factory_id,
            visit_id=event.visit_id,
            visited_on=event.visited_on,
            is_full=event.scope is VisitScope.FULL,
            points=point_counts(event.outcomes),
        ),
    )


async def release_report(reports: Reports, principal: Principal, report_id: str, *, now: datetime) -> Report:
    """Let the factory and its buyers read a report; raises ``NotFound``."""

    def decide(report: Report) -> tuple[Report, tuple[ReportReleasedV1, ...]]:
        return report.release(by=principal.subject, now=now, today=_local_date(now, report.time_zone))

    return await reports.change(report_id, principal.scope(), decide)


def _local_date(now: datetime, time_zone: str) -> date:
    """The date in a factory's time zone; UTC when the zone is unknown here, so that a report can be released."""
    try:
        return now.astimezone(ZoneInfo(time_zone)).date()
    except (ValueError, KeyError, OSError):
        return now.astimezone(UTC).date()
