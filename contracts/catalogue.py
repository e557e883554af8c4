"""Every event with its emitter and its listeners: the one place that says who hears what."""

from collections.abc import Mapping
from typing import Final

import msgspec

from contracts.access import (
    BuyerRegisteredV1,
    DisclosureEndedV1,
    DisclosureMadeV1,
    FactoryChangedV1,
    FactoryRegisteredV1,
    GrantGivenV1,
    GrantRevokedV1,
)
from contracts.assessment import QuestionnairePublishedV1, VisitFinalisedV1
from contracts.events import Event
from contracts.remediation import LineReportedV1, LineVerifiedV1, PlanChangedV1, PlanOpenedV1
from contracts.reporting import ReportFrozenV1, ReportReleasedV1
from contracts.sharing import (
    AccessRequestAnsweredV1,
    AccessRequestedV1,
    AccessRequestExpiredV1,
    AccessRequestRemindedV1,
    AccessRequestWithdrawnV1,
    AgreementProposedV1,
    AgreementSignedV1,
    AgreementTerminatedV1,
    SharingResumedV1,
    SharingSuspendedV1,
)
from contracts.training import CoursesRecommendedV1

SERVICES: Final = ("access", "assessment", "remediation", "training", "reporting")


class Entry(msgspec.Struct, frozen=True):
    """One event: its class, the service that announces it, and the services that listen."""

    event: type[Event]
    emitter: str
    listeners: tuple[str, ...] = ()


def _catalogue(*entries: Entry) -> Mapping[str, Entry]:
    """Index the entries by wire name; a name used twice or announced by a stranger is refused."""
    catalogue: dict[str, Entry] = {}
    for entry in entries:
        name = entry.event.type
        if name in catalogue or not name.startswith(f"{entry.emitter}."):
            raise ValueError(f"{name} is used twice, or is not {entry.emitter}'s to announce")
        catalogue[name] = entry
    return catalogue


CATALOGUE: Final = _catalogue(
    Entry(FactoryRegisteredV1, "access", ("assessment", "reporting")),
    Entry(FactoryChangedV1, "access", ("assessment", "reporting")),
    Entry(BuyerRegisteredV1, "access"),
    Entry(GrantGivenV1, "access"),
    Entry(GrantRevokedV1, "access"),
    Entry(AccessRequestedV1, "access"),
    Entry(AccessRequestRemindedV1, "access"),
    Entry(AccessRequestAnsweredV1, "access"),
    Entry(AccessRequestWithdrawnV1, "access"),
    Entry(AccessRequestExpiredV1, "access"),
    Entry(AgreementProposedV1, "access"),
    Entry(AgreementSignedV1, "access"),
    Entry(AgreementTerminatedV1, "access"),
    Entry(SharingSuspendedV1, "access"),
    Entry(SharingResumedV1, "access"),
    Entry(DisclosureMadeV1, "access"),
    Entry(DisclosureEndedV1, "access"),
    Entry(QuestionnairePublishedV1, "assessment", ("reporting", "remediation")),
    Entry(VisitFinalisedV1, "assessment", ("remediation", "training", "reporting")),
    Entry(PlanOpenedV1, "remediation"),
    Entry(PlanChangedV1, "remediation", ("access",)),
    Entry(LineReportedV1, "remediation"),
    Entry(LineVerifiedV1, "remediation"),
    Entry(CoursesRecommendedV1, "training", ("remediation",)),
    Entry(ReportFrozenV1, "reporting"),
    Entry(ReportReleasedV1, "reporting", ("access", "remediation")),
)


def heard_by(listener: str) -> dict[str, type[Event]]:
    """The events that a service listens to, by wire name."""
    return {name: entry.event for name, entry in CATALOGUE.items() if listener in entry.listeners}


def listeners() -> dict[str, tuple[str, ...]]:
    """Every service that listens to something, with the wire names it hears."""
    return {service: tuple(heard_by(service)) for service in SERVICES if heard_by(service)}
