"""The events of how factories and buyers come to share: requests for access, agreements, and their suspension."""

from typing import ClassVar

from contracts.events import Event
from contracts.vocabulary import ReportKind


class AccessRequestedV1(Event, frozen=True, kw_only=True):
    """A buyer asked a factory for kinds of report; without an answer the request is over at ``expires_at``."""

    type: ClassVar[str] = "access.request.made.v1"
    request_id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    expires_at: str


class AccessRequestRemindedV1(Event, frozen=True, kw_only=True):
    """A request still waits for the factory's answer; ``reminder`` counts from 1."""

    type: ClassVar[str] = "access.request.reminded.v1"
    request_id: str
    factory_id: str
    buyer_id: str
    reminder: int
    expires_at: str


class AccessRequestAnsweredV1(Event, frozen=True, kw_only=True):
    """A factory accepted a request, which gives the grant ``grant_id``, or refused it, which gives none."""

    type: ClassVar[str] = "access.request.answered.v1"
    request_id: str
    factory_id: str
    buyer_id: str
    is_accepted: bool
    grant_id: str = ""


class AccessRequestWithdrawnV1(Event, frozen=True, kw_only=True):
    """A buyer no longer asks."""

    type: ClassVar[str] = "access.request.withdrawn.v1"
    request_id: str
    factory_id: str
    buyer_id: str


class AccessRequestExpiredV1(Event, frozen=True, kw_only=True):
    """Nobody answered a request in time."""

    type: ClassVar[str] = "access.request.expired.v1"
    request_id: str
    factory_id: str
    buyer_id: str


class AgreementProposedV1(Event, frozen=True, kw_only=True):
    """An agreement between a factory and a buyer waits for both signatures; it may renew a predecessor."""

    type: ClassVar[str] = "access.agreement.proposed.v1"
    agreement_id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: str
    ends_on: str | None
    predecessor_id: str = ""


class AgreementSignedV1(Event, frozen=True, kw_only=True):
    """One side signed; ``is_complete`` when now both have, so that it is in force from its first day on."""

    type: ClassVar[str] = "access.agreement.signed.v1"
    agreement_id: str
    factory_id: str
    buyer_id: str
    side: str
    is_complete: bool


class AgreementTerminatedV1(Event, frozen=True, kw_only=True):
    """An agreement is over before its last day, and with it the grants that rest on it."""

    type: ClassVar[str] = "access.agreement.terminated.v1"
    agreement_id: str
    factory_id: str
    buyer_id: str
    side: str


class SharingSuspendedV1(Event, frozen=True, kw_only=True):
    """An agreement is suspended: nothing is shared between the two; ``epoch`` is the entry on the consent ledger."""

    type: ClassVar[str] = "access.sharing.suspended.v1"
    agreement_id: str
    factory_id: str
    buyer_id: str
    epoch: int


class SharingResumedV1(Event, frozen=True, kw_only=True):
    """An agreement is no longer suspended; ``epoch`` is the entry on the consent ledger."""

    type: ClassVar[str] = "access.sharing.resumed.v1"
    agreement_id: str
    factory_id: str
    buyer_id: str
    epoch: int
