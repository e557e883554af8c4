"""What can be read of reports and rates."""

import asyncio
import hashlib
from functools import partial
from typing import Final

import msgspec

from contracts.identity import STAFF, Principal, Scope
from contracts.vocabulary import ReportKind
from services.reporting.domain.aggregate import Figure, figures, newest_told_cycle
from services.reporting.domain.rates import FORMULA_VERSION
from services.reporting.domain.report import KeyResults, Report, Stage
from services.reporting.evidence.files import ReportFiles
from services.reporting.evidence.words import available, chosen
from services.reporting.store import Reports, Results


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """A report as readers see it; ``languages`` are those of its printed document."""

    id: str
    kind: ReportKind
    factory_id: str
    factory_name: str
    industry: str
    cycle: int
    visit_id: str
    questionnaire_id: str
    questionnaire_version: str
    languages: tuple[str, ...]
    visited_on: str
    frozen_at: str
    stage: Stage
    released_on: str | None
    snapshot_sha256: str
    snapshot_size: int
    key_results: KeyResults

    @classmethod
    def of(cls, report: Report) -> "ReportView":
        """The view of a report."""
        return cls(
            id=report.id,
            kind=report.kind,
            factory_id=report.factory_id,
            factory_name=report.factory_name,
            industry=report.industry,
            cycle=report.cycle,
            visit_id=report.visit_id,
            questionnaire_id=report.questionnaire_id,
            questionnaire_version=report.questionnaire_version,
            languages=available(report.languages),
            visited_on=report.visited_on,
            frozen_at=report.frozen_at,
            stage=report.stage,
            released_on=report.released_on,
            snapshot_sha256=report.sha256,
            snapshot_size=report.size,
            key_results=report.key_results,
        )


class ReportPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of reports, latest visit first."""

    items: list[ReportView]
    next_cursor: str | None


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a country: a cluster's is followed by those of its compliance points.

    ``cycle`` is null when staff asked for all cycles: every factory is then represented by its latest visit.
    Others who name no cycle get the newest one that enough factories have reached.
    """

    cycle: int | None
    industry: str | None
    formula_version: str
    items: list[Figure]


async def list_reports(
    reports: Reports, scope: Scope, *, factory_id: str | None, cycle: int | None, limit: int, after: str | None
) -> ReportPage:
    """One page of the reports that the caller may read."""
    found = await reports.find(scope, factory_id=factory_id, cycle=cycle, limit=limit, after=after)
    return ReportPage(items=[ReportView.of(report) for report in found.items], next_cursor=found.next_cursor)


VIEW: Final = hashlib.sha256(msgspec.json.encode(msgspec.json.schema(ReportView), order="sorted")).hexdigest()[:16]
"""Which properties a view has: no copy of before an upgrade that changes them is confirmed after it."""


def version_of(report: Report, form: str) -> str:
    """The entity tag of one form of a report: nothing but its release, or an upgrade, ever changes it."""
    return f'"{report.sha256[:32]}.{report.stage}.{form}"'


async def read_content(files: ReportFiles, report: Report) -> bytes:
    """The JSON of a report: its view with the frozen ``snapshot`` inside, byte for byte as it was frozen."""
    snapshot = await files.snapshot(report)
    view = msgspec.json.encode(ReportView.of(report))
    return view[:-1] + b',"snapshot":' + snapshot + b"}"


def language_of(report: Report, asked: str | None) -> str:
    """The language to print in, by default the questionnaire's own; raises ``LanguageNotAvailable``."""
    return chosen(asked, report.languages)


async def compliance_points(
    results: Results, principal: Principal, *, cycle: int | None, industry: str | None
) -> Aggregate:
    """The rates of the caller's country; the numbers of small groups are for the programme's staff only."""
    is_for_staff = bool(principal.roles & STAFF)
    found = await results.of_country(principal.scope(), cycle=cycle)
    if cycle is None and not is_for_staff:
        cycle = newest_told_cycle(found)
        found = [result for result in found if result.cycle == cycle]
    # In a thread: thousands of factories take longer than other requests should wait.
    items = await asyncio.to_thread(partial(figures, found, industry=industry, is_for_staff=is_for_staff))
    return Aggregate(cycle=cycle, industry=industry, formula_version=FORMULA_VERSION, items=items)
