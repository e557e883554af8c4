"""The events of services/access (parties and consent), and how a gateway follows the consent ledger."""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

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


class BuyerRegisteredV1(Event, frozen=True, kw_only=True):
    """A buyer joined the programme."""

    type: ClassVar[str] = "access.buyer.registered.v1"
    buyer_id: str
    name: str


class GrantGivenV1(Event, frozen=True, kw_only=True):
    """A factory approved a buyer for some kinds of report; ``epoch`` is the entry on the consent ledger."""

    type: ClassVar[str] = "access.grant.given.v1"
    grant_id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: str
    ends_on: str | None
    epoch: int


class GrantRevokedV1(Event, frozen=True, kw_only=True):
    """A factory withdrew an approval; ``epoch`` is the entry on the consent ledger."""

    type: ClassVar[str] = "access.grant.revoked.v1"
    grant_id: str
    factory_id: str
    buyer_id: str
    epoch: int


class EntryKind(StrEnum):
    """What an entry on the consent ledger says."""

    GRANT_GIVEN = "grant_given"
    GRANT_REVOKED = "grant_revoked"
    KEY_ANNOUNCED = "key_announced"


class ConsentEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the ledger as everybody may see it: no person is named.

    Of a revocation only the grant, the factory and the buyer are given, of an announcement only the ``public_key``
    (Ed25519, hex). ``sealed`` holds salted digests of what only some readers learn. How ``hash`` and ``signature``
    (hex) are made and checked says ``contracts.ledger``.

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
    kinds: tuple[ReportKind, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    public_key: str = ""
    sealed: dict[str, str] = {}
    key_id: str = ""
    signature: str = ""


class ConsentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What access answers a gateway that follows the ledger.

    ``lease_s`` seconds after it *sent* the request a gateway that has applied all ``entries`` must stop deciding;
    0 gives no lease because there is more to read.
    """

    entries: tuple[ConsentEntry, ...]
    epoch: int
    lease_s: float
