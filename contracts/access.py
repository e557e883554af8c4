"""The events of services/access (parties and consent), and how a gateway follows the consent ledger."""

import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from contracts.events import Event
from contracts.vocabulary import ReportKind


class FactoryRegisteredV1(Event, frozen=True, kw_only=True):
    """A factory joined the programme; the other services keep a card of it.

    ``original_id`` is the factory's id in the country's earlier system, ``industry`` an ISIC code,
    ``owner_group`` the manufacturing group for the rules of small groups.
    """

    type: ClassVar[str] = "access.factory.registered.v1"
    factory_id: str
    original_id: str
    name: str
    country: str
    industry: str
    time_zone: str
    owner_group: str = ""


class FactoryChangedV1(Event, frozen=True, kw_only=True):
    """Something of a factory changed: this is how it is now; of several the newest counts.

    ``status`` is active, obsolete or merged, then with ``merged_into``.
    """

    type: ClassVar[str] = "access.factory.changed.v1"
    factory_id: str
    original_id: str
    name: str
    country: str
    industry: str
    time_zone: str
    owner_group: str = ""
    status: str = "active"
    merged_into: str = ""


class BuyerRegisteredV1(Event, frozen=True, kw_only=True):
    """A buyer joined the programme."""

    type: ClassVar[str] = "access.buyer.registered.v1"
    buyer_id: str
    name: str


class GrantGivenV1(Event, frozen=True, kw_only=True):
    """A factory approved a buyer for some kinds of report; ``epoch`` is the entry on the consent ledger.

    ``is_on_paper`` says that the programme recorded what the factory signed on paper: the factory is to be told.
    """

    type: ClassVar[str] = "access.grant.given.v1"
    grant_id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: str
    ends_on: str | None
    epoch: int
    is_on_paper: bool = False


class GrantRevokedV1(Event, frozen=True, kw_only=True):
    """A factory withdrew an approval; ``epoch`` is the entry on the consent ledger.

    ``is_on_paper`` says that the programme recorded what the factory signed on paper: the factory is to be told.
    """

    type: ClassVar[str] = "access.grant.revoked.v1"
    grant_id: str
    factory_id: str
    buyer_id: str
    epoch: int
    is_on_paper: bool = False


class DisclosureMadeV1(Event, frozen=True, kw_only=True):
    """Something was disclosed to a buyer without the factory's consent, because of zero tolerance.

    ``record_id`` is the record on the consent ledger, one for each buyer of the disclosure, ``epoch`` its entry. Why it
    was made is told to the factory only, in its notices. Without ``cycles`` every cycle is disclosed.
    """

    type: ClassVar[str] = "access.disclosure.made.v1"
    disclosure_id: str
    record_id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    starts_on: str
    ends_on: str | None
    epoch: int


class DisclosureEndedV1(Event, frozen=True, kw_only=True):
    """What was disclosed to a buyer is no longer shown; ``epoch`` is the entry on the consent ledger."""

    type: ClassVar[str] = "access.disclosure.ended.v1"
    record_id: str
    factory_id: str
    buyer_id: str
    epoch: int


class EntryKind(StrEnum):
    """What an entry on the consent ledger says."""

    GRANT_GIVEN = "grant_given"
    GRANT_REVOKED = "grant_revoked"
    KEY_ANNOUNCED = "key_announced"
    DISCLOSURE_MADE = "disclosure_made"
    DISCLOSURE_ENDED = "disclosure_ended"
    CREDITS_BOUGHT = "credits_bought"
    ENTITLEMENT_GIVEN = "entitlement_given"
    ENTITLEMENT_ENDED = "entitlement_ended"
    SHARING_SUSPENDED = "sharing_suspended"
    SHARING_RESUMED = "sharing_resumed"
    AGREEMENT_ENDED = "agreement_ended"
    BUYER_CLOSED = "buyer_closed"
    BUYER_REOPENED = "buyer_reopened"
    MEMBER_ADMITTED = "member_admitted"
    MEMBER_LEFT = "member_left"
    GROUP_JOINED = "group_joined"
    GROUP_LEFT = "group_left"


ENDS: Final[Mapping[EntryKind, EntryKind]] = {
    EntryKind.GRANT_REVOKED: EntryKind.GRANT_GIVEN,
    EntryKind.DISCLOSURE_ENDED: EntryKind.DISCLOSURE_MADE,
    EntryKind.ENTITLEMENT_ENDED: EntryKind.ENTITLEMENT_GIVEN,
    EntryKind.SHARING_RESUMED: EntryKind.SHARING_SUSPENDED,
    EntryKind.BUYER_REOPENED: EntryKind.BUYER_CLOSED,
    EntryKind.MEMBER_LEFT: EntryKind.MEMBER_ADMITTED,
    EntryKind.GROUP_LEFT: EntryKind.GROUP_JOINED,
}
"""Which kind of entry takes back what which other began."""


class ConsentEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the ledger as everybody may see it: no person is named.

    ``grant_id`` is the id of the record that the entry speaks of: a grant, a disclosure, a purchase of credits, an
    entitlement, the agreement that is suspended or over, a member of a buyer's staff, a factory that belongs to the
    manufacturing group ``group_id`` (to one at most). What begins carries its content, what ends only the record and
    its parties, an announcement only the ``public_key`` (Ed25519, hex). An entitlement without ``factory_id`` is one
    for every factory, without ``cycles`` one for every cycle; ``credits`` are those bought or spent; ``member`` is
    ``member_digest`` of the person. ``sealed`` holds salted digests of what only some readers learn. How ``hash`` and
    ``signature`` (hex) are made and checked says ``contracts.ledger``.

    NOTE: the hash covers every field by its name. A new field needs a default, which is left out of the content.
    """

    epoch: int
    previous_hash: str
    hash: str
    kind: EntryKind
    at: datetime | None = None
    grant_id: str = ""
    factory_id: str = ""
    buyer_id: str = ""
    group_id: str = ""
    kinds: tuple[ReportKind, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    cycles: tuple[int, ...] = ()
    credits: int = 0
    member: str = ""
    public_key: str = ""
    sealed: dict[str, str] = {}
    key_id: str = ""
    signature: str = ""


def member_key(user_name: str) -> str:
    """The one spelling of a user name: names that differ in case or in the composition of letters are the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", user_name).casefold())


def member_digest(buyer_id: str, user_name: str) -> str:
    """How the ledger names a member of a buyer's staff: SHA-256 (hex) of the party and the name."""
    return hashlib.sha256(f"{buyer_id}\n{member_key(user_name)}".encode()).hexdigest()


class ConsentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What access answers a gateway that follows the ledger.

    ``lease_s`` seconds after it *sent* the request a gateway that has applied all ``entries`` must stop deciding;
    0 gives no lease because there is more to read.
    """

    entries: tuple[ConsentEntry, ...]
    epoch: int
    lease_s: float
