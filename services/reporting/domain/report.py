"""A report: frozen when the visit is closed, released when the programme lets others read it."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Final

import msgspec

from contracts.errors import RuleBroken
from contracts.reporting import ReportFrozenV1, ReportReleasedV1
from contracts.vocabulary import ReportKind
from services.reporting.domain.snapshot import FactoryCard, RateText, Snapshot


class Stage(StrEnum):
    """Who may read a report: the programme (frozen), or also the factory and its buyers (released)."""

    FROZEN = "frozen"
    RELEASED = "released"


NEXT: Final[Mapping[Stage, frozenset[Stage]]] = {
    Stage.FROZEN: frozenset({Stage.RELEASED}),
    Stage.RELEASED: frozenset(),
}
"""The allowed moves. There is no way back: who has read a report has read it."""


class ReportCannotMove(RuleBroken):
    """The report is in a stage from which this step is not possible."""

    code = "report_cannot_move"


class ClusterResult(msgspec.Struct, frozen=True, kw_only=True):
    """The key result of one cluster."""

    cluster: str
    rate: RateText


class KeyResults(msgspec.Struct, frozen=True, kw_only=True):
    """What the cover of a report says; ``findings`` and ``public_findings`` count questions."""

    rate: RateText
    clusters: tuple[ClusterResult, ...]
    findings: int
    public_findings: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report without its content: ``sha256`` and ``size`` (bytes) are those of the snapshot that holds it.

    ``released_on`` is a date in the factory's time zone.
    """

    id: str
    kind: ReportKind
    country: str
    factory_id: str
    factory_name: str
    industry: str
    time_zone: str
    cycle: int
    visit_id: str
    questionnaire_id: str
    questionnaire_version: str
    languages: tuple[str, ...]
    visited_on: str
    frozen_at: str
    sha256: str
    size: int
    key_results: KeyResults
    stage: Stage = Stage.FROZEN
    released_at: str | None = None
    released_on: str | None = None
    released_by: str | None = None

    @classmethod
    def of(
        cls, snapshot: Snapshot, card: FactoryCard, *, country: str, sha256: str, size: int, now: datetime
    ) -> "tuple[Report, tuple[ReportFrozenV1, ...]]":
        """The report of a snapshot, frozen; ``country`` is the programme's."""
        report = cls(
            id=snapshot.report_id,
            kind=snapshot.kind,
            country=country,
            factory_id=card.factory_id,
            factory_name=card.name,
            industry=card.industry,
            time_zone=card.time_zone,
            cycle=snapshot.cycle,
            visit_id=snapshot.visit_id,
            questionnaire_id=snapshot.questionnaire.id,
            questionnaire_version=snapshot.questionnaire.version,
            languages=snapshot.questionnaire.languages,
            visited_on=snapshot.visited_on,
            frozen_at=now.isoformat(),
            sha256=sha256,
            size=size,
            key_results=_key_results(snapshot),
        )
        frozen = ReportFrozenV1(
            report_id=report.id,
            factory_id=report.factory_id,
            kind=report.kind,
            cycle=report.cycle,
            visit_id=report.visit_id,
            snapshot_sha256=sha256,
        )
        return report, (frozen,)

    def release(self, *, by: str, now: datetime, today: date) -> "tuple[Report, tuple[ReportReleasedV1, ...]]":
        """Let the factory and its buyers read the report; releasing it again changes and announces nothing.

        ``today`` is the date in the factory's time zone.
        """
        if self.stage is Stage.RELEASED:
            return self, ()
        released = self._moved_to(
            Stage.RELEASED, released_at=now.isoformat(), released_on=today.isoformat(), released_by=by
        )
        event = ReportReleasedV1(
            report_id=self.id,
            factory_id=self.factory_id,
            kind=self.kind,
            cycle=self.cycle,
            visit_id=self.visit_id,
            released_on=today.isoformat(),
        )
        return released, (event,)

    def _moved_to(self, stage: Stage, **changes: str) -> "Report":
        if stage not in NEXT[self.stage]:
            raise ReportCannotMove(f"A report that is {self.stage} cannot become {stage}.")
        return msgspec.structs.replace(self, stage=stage, **changes)


def _key_results(snapshot: Snapshot) -> KeyResults:
    points = [point for cluster in snapshot.clusters for point in cluster.points]
    found = [item for point in points for item in point.items if item.outcome == "non_compliant"]
    return KeyResults(
        rate=snapshot.rate,
        clusters=tuple(ClusterResult(cluster=part.code, rate=part.rate) for part in snapshot.clusters),
        findings=len(found),
        public_findings=sum(item.is_public for item in found),
    )
