"""The events of services/reporting: frozen and released reports."""

from typing import ClassVar

from contracts.events import Event
from contracts.vocabulary import ReportKind


class ReportFrozenV1(Event, frozen=True, kw_only=True):
    """A report's content was fixed; nobody outside the programme sees it yet."""

    type: ClassVar[str] = "reporting.report.frozen.v1"
    report_id: str
    factory_id: str
    kind: ReportKind
    cycle: int
    visit_id: str
    snapshot_sha256: str


class ReportReleasedV1(Event, frozen=True, kw_only=True):
    """A report may be read by the factory and by the buyers it approves; the progress-report clock starts."""

    type: ClassVar[str] = "reporting.report.released.v1"
    report_id: str
    factory_id: str
    kind: ReportKind
    cycle: int
    visit_id: str
    released_on: str
