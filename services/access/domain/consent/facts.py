"""What an entry on the ledger can say: each fact with what everybody may see of it and what is sealed in it."""

from datetime import date
from typing import Any, Final

import msgspec

from contracts.access import (
    DisclosureEndedV1,
    DisclosureMadeV1,
    EntryKind,
    GrantGivenV1,
    GrantRevokedV1,
    member_digest,
)
from contracts.events import Event
from contracts.vocabulary import ReportKind
from services.access.domain.consent.agreed import AgreementEnded, SharingResumed, SharingSuspended
from services.access.domain.consent.announced import KeyAnnounced
from services.access.domain.consent.paid import CreditsBought, EntitlementEnded, EntitlementGiven
from services.access.domain.consent.said import About, Said
from services.access.domain.grant import Approval, Grant

PURPOSE: Final = "purpose"
"""The sealed value of a grant that a buyer may read as well; most others name people, papers or money."""
TERMS_VERSION: Final = "terms_version"
TERMS_SHA256: Final = "terms_sha256"
"""Sealed values that stand in every receipt."""


class GrantGiven(Said, frozen=True, tag=EntryKind.GRANT_GIVEN.value):
    """A factory approved a buyer, under the terms (with their SHA-256 in hex) that it had accepted last, if any."""

    grant: Grant
    terms_version: str = ""
    terms_sha256: str = ""

    def shown(self) -> dict[str, Any]:
        """The grant without its purpose and its people."""
        names = ("factory_id", "buyer_id", "kinds", "starts_on", "ends_on")
        return {"grant_id": self.grant.id, **{name: getattr(self.grant, name) for name in names}}

    def sealed(self) -> dict[str, str]:
        """Its purpose, the person who approved, and what it rests on."""
        grant = self.grant
        values = {
            PURPOSE: grant.purpose,
            TERMS_VERSION: self.terms_version,
            TERMS_SHA256: self.terms_sha256,
            "agreement_id": grant.agreement_id,
            "request_id": grant.request_id,
            "document_sha256": grant.document_sha256,
        }
        if grant.approved_by is not None:
            values |= {"approver_name": grant.approved_by.name, "approver_role": grant.approved_by.role}
        return values

    def event(self, epoch: int) -> Event:
        """The grant."""
        grant = self.grant
        return GrantGivenV1(
            grant_id=grant.id,
            factory_id=grant.factory_id,
            buyer_id=grant.buyer_id,
            kinds=grant.kinds,
            starts_on=grant.starts_on.isoformat(),
            ends_on=grant.ends_on.isoformat() if grant.ends_on else None,
            epoch=epoch,
            is_on_paper=bool(grant.document_sha256),
        )


class GrantRevoked(About, frozen=True, tag=EntryKind.GRANT_REVOKED.value):
    """A factory withdrew an approval, perhaps on a signed paper: its SHA-256 in hex, and the person who signed it."""

    said_by: Approval | None = None
    document_sha256: str = ""

    def sealed(self) -> dict[str, str]:
        """The reason, the paper, and who signed it."""
        values = {**super().sealed(), "document_sha256": self.document_sha256}
        if self.said_by is not None:
            values |= {"withdrawer_name": self.said_by.name, "withdrawer_role": self.said_by.role}
        return values

    def event(self, epoch: int) -> Event:
        """The withdrawal."""
        return GrantRevokedV1(
            grant_id=self.record_id,
            factory_id=self.factory_id,
            buyer_id=self.buyer_id,
            epoch=epoch,
            is_on_paper=bool(self.document_sha256),
        )


class BuyerClosed(About, frozen=True, tag=EntryKind.BUYER_CLOSED.value):
    """A buyer sees nothing any more; the record is the buyer itself."""


class BuyerReopened(About, frozen=True, tag=EntryKind.BUYER_REOPENED.value):
    """A closed buyer sees again what stands."""


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown to a buyer without the factory's consent, because of zero tolerance, and which two decided it.

    ``disclosure_id`` is what the two decided on, perhaps for several buyers. They are named as persons and, for the
    factory, as roles. ``case`` is the reference of the zero-tolerance case.
    """

    id: str
    disclosure_id: str = ""
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...] = ()
    starts_on: date
    ends_on: date | None = None
    reason: str
    case: str = ""
    requested_by: str
    requested_as: str = ""
    confirmed_by: str
    confirmed_as: str = ""


class DisclosureMade(Said, frozen=True, tag=EntryKind.DISCLOSURE_MADE.value):
    """Two persons of the programme disclosed something to a buyer."""

    disclosure: Disclosure

    def shown(self) -> dict[str, Any]:
        """The disclosure without its reason and its people."""
        names = ("factory_id", "buyer_id", "kinds", "cycles", "starts_on", "ends_on")
        return {"grant_id": self.disclosure.id, **{name: getattr(self.disclosure, name) for name in names}}

    def sealed(self) -> dict[str, str]:
        """The decision, its reason, and the two persons."""
        names = ("disclosure_id", "reason", "case", "requested_by", "requested_as", "confirmed_by", "confirmed_as")
        return {name: getattr(self.disclosure, name) for name in names}

    def event(self, epoch: int) -> Event:
        """The disclosure."""
        made = self.disclosure
        return DisclosureMadeV1(
            disclosure_id=made.disclosure_id,
            record_id=made.id,
            factory_id=made.factory_id,
            buyer_id=made.buyer_id,
            kinds=made.kinds,
            cycles=made.cycles,
            starts_on=made.starts_on.isoformat(),
            ends_on=made.ends_on.isoformat() if made.ends_on else None,
            epoch=epoch,
        )


class DisclosureEnded(About, frozen=True, tag=EntryKind.DISCLOSURE_ENDED.value):
    """What was disclosed is no longer shown."""

    def event(self, epoch: int) -> Event:
        """The end."""
        return DisclosureEndedV1(
            record_id=self.record_id, factory_id=self.factory_id, buyer_id=self.buyer_id, epoch=epoch
        )


class MemberAdmitted(About, frozen=True, tag=EntryKind.MEMBER_ADMITTED.value):
    """A person may act for a buyer; ``subject`` is the person's OIDC subject."""

    subject: str = ""

    def shown(self) -> dict[str, Any]:
        """The record, the buyer, and the digest of the person."""
        return {**super().shown(), "member": member_digest(self.buyer_id, self.subject)}

    def sealed(self) -> dict[str, str]:
        """The person."""
        return {"subject": self.subject}


class MemberLeft(MemberAdmitted, frozen=True, tag=EntryKind.MEMBER_LEFT.value):
    """A person may no longer act for a buyer."""


class GroupJoined(Said, frozen=True, tag=EntryKind.GROUP_JOINED.value):
    """A factory belongs to a manufacturing group. It belongs to one at most, so that the record is the factory."""

    factory_id: str
    group_id: str

    def shown(self) -> dict[str, Any]:
        """The factory and the group."""
        return {"grant_id": self.factory_id, "factory_id": self.factory_id, "group_id": self.group_id}


class GroupLeft(GroupJoined, frozen=True, tag=EntryKind.GROUP_LEFT.value):
    """A factory no longer belongs to a manufacturing group."""


Fact = (
    KeyAnnounced
    | GrantGiven
    | GrantRevoked
    | DisclosureMade
    | DisclosureEnded
    | CreditsBought
    | EntitlementGiven
    | EntitlementEnded
    | SharingSuspended
    | SharingResumed
    | AgreementEnded
    | BuyerClosed
    | BuyerReopened
    | MemberAdmitted
    | MemberLeft
    | GroupJoined
    | GroupLeft
)
