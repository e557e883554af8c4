"""The events of services/access: parties and consent."""

from typing import ClassVar

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
