"""What access does when another service announces that a shared document changed."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.events import Event
from contracts.remediation import PlanChangedV1
from contracts.reporting import ReportReleasedV1
from services.access.store.changes import Journal
from services.access.store.ledger import Ledger
from services.access.usecases import changes as usecases
from services.runtime.bus import Delivery
from services.runtime.bus.dispatch import Consumer


def consumers(journal: Journal, ledger: Ledger, *, zone: ZoneInfo) -> Mapping[type[Event], Consumer]:
    """One consumer per event that access listens to."""

    async def on_report_released(event: ReportReleasedV1, delivery: Delivery) -> None:
        await usecases.note_change(
            journal,
            ledger,
            (event.kind,),
            document_id=event.report_id,
            factory_id=event.factory_id,
            cycle=event.cycle,
            cause=delivery,
            now=datetime.now(zone),
        )

    async def on_plan_changed(event: PlanChangedV1, delivery: Delivery) -> None:
        await usecases.note_change(
            journal,
            ledger,
            event.kinds,
            document_id=event.plan_id,
            factory_id=event.factory_id,
            cycle=event.cycle,
            cause=delivery,
            now=datetime.now(zone),
        )

    return {ReportReleasedV1: on_report_released, PlanChangedV1: on_plan_changed}
