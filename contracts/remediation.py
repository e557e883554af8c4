"""The events of services/remediation: improvement plans."""

from enum import StrEnum
from typing import ClassVar

from contracts.events import Event
from contracts.vocabulary import ReportKind


class LineStatus(StrEnum):
    """How far an improvement plan line has come; the factory's word and the verified word are kept apart."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class PlanOpenedV1(Event, frozen=True, kw_only=True):
    """An improvement plan exists for the findings of a visit."""

    type: ClassVar[str] = "remediation.plan.opened.v1"
    plan_id: str
    factory_id: str
    cycle: int
    visit_id: str
    lines: int


class LineReportedV1(Event, frozen=True, kw_only=True):
    """The factory reported progress on a line of its plan."""

    type: ClassVar[str] = "remediation.line.reported.v1"
    plan_id: str
    factory_id: str
    line_id: str
    status: LineStatus


class LineVerifiedV1(Event, frozen=True, kw_only=True):
    """An advisor verified the state of a line on site."""

    type: ClassVar[str] = "remediation.line.verified.v1"
    plan_id: str
    factory_id: str
    line_id: str
    status: LineStatus


class PlanChangedV1(Event, frozen=True, kw_only=True):
    """What buyers may read of a plan changed; the first time it was released to them, with all its kinds.

    ``kinds`` says what of it changed: what is planned, or how far it is.
    """

    type: ClassVar[str] = "remediation.plan.changed.v1"
    plan_id: str
    factory_id: str
    cycle: int
    kinds: tuple[ReportKind, ...]
