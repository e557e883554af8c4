"""Factories, and what every kind of party has: text that is kept plain, and a history of what was changed."""

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from contracts.access import FactoryChangedV1, FactoryRegisteredV1
from contracts.errors import Malformed, RuleBroken
from services.access.domain.identifiers import checked_isic, checked_lei, checked_os_id, checked_time_zone

ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a factory stands; degrees are WGS 84."""

    lines: Annotated[str, msgspec.Meta(max_length=500)] = ""
    city: Annotated[str, msgspec.Meta(max_length=200)] = ""
    postal_code: Annotated[str, msgspec.Meta(max_length=20)] = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class FactoryStatus(StrEnum):
    """Whether a factory is in the programme."""

    ACTIVE = "active"
    OBSOLETE = "obsolete"
    MERGED = "merged"


NEXT: Final[Mapping[FactoryStatus, frozenset[FactoryStatus]]] = {
    FactoryStatus.ACTIVE: frozenset({FactoryStatus.OBSOLETE, FactoryStatus.MERGED}),
    FactoryStatus.OBSOLETE: frozenset({FactoryStatus.ACTIVE, FactoryStatus.MERGED}),
    FactoryStatus.MERGED: frozenset(),
}
"""What may follow what."""


class FactoryNotActive(RuleBroken):
    """The factory is not in the programme just now, or what it was merged into is not."""

    code = "factory_not_active"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What was changed of a party, by whom (a subject), why, and since which day; ``before`` and ``after`` by field."""

    what: str
    on: date
    by: str
    at: datetime
    reason: str
    before: dict[str, str] = {}
    after: dict[str, str] = {}


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes something of a party, why, and since which day."""

    reason: str
    on: date
    by: str
    at: datetime


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """A factory of the programme.

    ``original_id`` is its id in the country's earlier system, ``industry`` an ISIC code with its section letter (C14),
    ``owner_group`` the manufacturing group for the rules of small groups, ``group_id`` that group as a party,
    which may approve buyers for the factory if ``owner_may_grant``.
    ``former_names`` are those by which it is still found, ``history`` is what was changed, oldest first.
    """

    id: str
    original_id: str
    name: str
    country: str
    industry: str
    time_zone: str
    address: Address = Address()
    os_id: str = ""
    lei: str = ""
    tax_id: str = ""
    owner_group: str = ""
    group_id: str = ""
    owner_may_grant: bool = False
    status: FactoryStatus = FactoryStatus.ACTIVE
    merged_into: str = ""
    former_names: tuple[str, ...] = ()
    history: tuple[Change, ...] = ()

    def demand_active(self) -> None:
        """Raise ``FactoryNotActive`` when something new is to begin with a factory that left the programme."""
        if self.status is not FactoryStatus.ACTIVE:
            raise FactoryNotActive("The factory is no longer in the programme.")

    def registered(self) -> tuple["Factory", FactoryRegisteredV1]:
        """The factory as it is kept, with its event; raises ``Malformed`` for what cannot be right."""
        kept = _checked(self)
        return kept, FactoryRegisteredV1(**_told(kept))

    def changed(self, fields: Mapping[str, Any], why: Because) -> tuple["Factory", tuple[FactoryChangedV1, ...]]:
        """The factory with other values, which its history tells; raises ``Malformed`` for what cannot be right."""
        kept = _checked(msgspec.structs.replace(self, **fields))
        names = [name for name in fields if getattr(kept, name) != getattr(self, name)]
        if not names:
            return self, ()
        what = next((word for field, word in _WORDS.items() if field in names), "changed")
        before, after = ({name: _text(getattr(each, name)) for name in names} for each in (self, kept))
        former = (*self.former_names, self.name) if "name" in names else self.former_names
        named = msgspec.structs.replace(kept, former_names=tuple(dict.fromkeys(n for n in former if n != kept.name)))
        done = _noted(named, what, why, before, after)
        return done, (_change_of(done),)

    def moved_to(
        self, status: FactoryStatus, why: Because, *, merged_into: str = ""
    ) -> tuple["Factory", tuple[FactoryChangedV1, ...]]:
        """The factory in another status; the same again changes nothing; raises ``FactoryNotActive``."""
        if (self.status, self.merged_into) == (status, merged_into):
            return self, ()
        if status not in NEXT[self.status]:
            raise FactoryNotActive(f"A factory that is {self.status} cannot become {status}.")
        before, after = {"status": str(self.status)}, {"status": str(status)}
        if merged_into:
            after["merged_into"] = merged_into
        moved = msgspec.structs.replace(self, status=status, merged_into=merged_into)
        done = _noted(moved, str(status), why, before, after)
        return done, (_change_of(done),)


def _noted(factory: Factory, what: str, why: Because, before: dict[str, str], after: dict[str, str]) -> Factory:
    change = Change(
        what=what, on=why.on, by=why.by, at=why.at, reason=plain(why.reason, "reason"), before=before, after=after
    )
    return msgspec.structs.replace(factory, history=(*factory.history, change))


def _change_of(factory: Factory) -> FactoryChangedV1:
    return FactoryChangedV1(status=factory.status, merged_into=factory.merged_into, **_told(factory))


def _told(factory: Factory) -> dict[str, str]:
    """What the cards of the other services hold."""
    names = ("original_id", "name", "country", "industry", "time_zone", "owner_group")
    return {"factory_id": factory.id, **{name: getattr(factory, name) for name in names}}


def _checked(factory: Factory) -> Factory:
    return msgspec.structs.replace(
        factory,
        original_id=plain(factory.original_id, "original_id"),
        name=plain(factory.name, "name"),
        industry=checked_isic(factory.industry),
        time_zone=checked_time_zone(factory.time_zone),
        address=_plain_address(factory.address),
        os_id=checked_os_id(factory.os_id) if factory.os_id else "",
        lei=checked_lei(factory.lei) if factory.lei else "",
        tax_id=plain(factory.tax_id, "tax_id") if factory.tax_id else "",
        owner_group=plain(factory.owner_group, "owner_group") if factory.owner_group else "",
    )


_WORDS: Final = {"name": "renamed", "address": "moved"}


def _text(value: object) -> str:
    """A value as the history tells it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def plain(text: str, field: str) -> str:
    """Text in NFC without white space around it; raises ``Malformed`` when it is empty or holds control characters."""
    kept = unicodedata.normalize("NFC", text).strip()
    if not kept or any(unicodedata.category(character) in {"Cc", "Cs"} for character in kept):
        raise Malformed(f"{field} must hold text, without control characters.")
    return kept


def _plain_address(address: Address) -> Address:
    texts = {"lines": address.lines, "city": address.city, "postal_code": address.postal_code}
    if (address.latitude is None) != (address.longitude is None):
        raise Malformed("latitude and longitude go together.")
    kept = {name: plain(text.replace("\r\n", ", ").replace("\n", ", "), name) for name, text in texts.items() if text}
    return msgspec.structs.replace(address, **kept)
