"""Factories, and what every kind of party has: text that is kept plain, and a history of what was changed."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from contracts.access import FactoryChangedV1, FactoryRegisteredV1
from contracts.errors import Conflict, Malformed, RuleBroken
from services.access.domain.grant import Approval
from services.access.domain.identifiers import checked_isic, checked_lei, checked_os_id, checked_time_zone
from services.access.domain.paper import Sha256
from services.access.domain.text import plain

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


class OsIdTaken(Conflict):
    """Another factory of the programme has this OS Hub id: one place has one factory, and one set of consents."""

    code = "os_id_taken"


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


class Registrant(Approval, frozen=True, kw_only=True):
    """The person who stood for a party when it was registered, and the SHA-256 (hex) of what that person signed."""

    document_sha256: Sha256 | None = None


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """How a party was registered: who stood for it (nobody, when it was imported), who wrote it down, and when.

    ``by`` is a subject, ``document_sha256`` the digest (hex) of what was signed.
    """

    name: str = ""
    role: str = ""
    document_sha256: str = ""
    by: str
    at: datetime


def registration_of(person: Registrant | None, why: Because) -> tuple[Registration, Change]:
    """How a party is registered now, and what its history begins with; raises ``Malformed``."""
    told: dict[str, str] = {}
    if person is not None:
        told = {"name": plain(person.name, "name"), "document_sha256": person.document_sha256 or ""}
        told["role"] = plain(person.role, "role") if person.role else ""
    begun = Change(what="registered", on=why.on, by=why.by, at=why.at, reason=why.reason)
    return Registration(**told, by=why.by, at=why.at), begun


class Merger(msgspec.Struct, frozen=True, kw_only=True):
    """A merger that has begun; ``attempt`` is told by nobody twice."""

    into: str
    attempt: str


class Factory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A factory of the programme.

    ``original_id`` is its id in the country's earlier system, ``industry`` an ISIC code with its section letter (C14),
    ``owner_group`` the manufacturing group for the rules of small groups, ``group_id`` that group as a party,
    which may approve buyers for the factory if ``owner_may_grant``. A factory that others were merged into may leave or
    be merged itself: ``merged_into`` tells one step, and stays as it was. ``merging`` is a merger that has begun.
    ``os_slot`` is the OS Hub id of a factory in the programme, which no other has: one that leaves gives it up.
    ``former_names`` are those by which it is still found, ``history`` is what was changed, oldest first.
    ``registration`` is missing of those that an earlier release registered.
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
    merging: Merger | None = None
    os_slot: str | None = None
    former_names: tuple[str, ...] = ()
    registration: Registration | None = None
    history: tuple[Change, ...] = ()

    def demand_active(self) -> None:
        """Raise ``FactoryNotActive`` when something new is to begin with a factory that left the programme."""
        if self.status is not FactoryStatus.ACTIVE:
            raise FactoryNotActive("The factory is no longer in the programme.")

    def registered(self) -> tuple["Factory", FactoryRegisteredV1]:
        """The factory as it is kept, with its event; raises ``Malformed`` for what cannot be right."""
        kept = _holding(_checked(self))
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
        done = _noted(_holding(named), what, why, before, after)
        return done, (_change_of(done),)

    def moved_to(self, status: FactoryStatus, why: Because) -> tuple["Factory", tuple[FactoryChangedV1, ...]]:
        """The factory in or out of the programme, whatever merger had begun; the same again changes nothing.

        Raises ``FactoryNotActive``.
        """
        if self.status is status:
            return msgspec.structs.replace(self, merging=None), ()
        self._demand_next(status)
        return self._moved(status, why, {})

    def merger_begun(self, merger: Merger) -> "Factory":
        """The factory while it is looked whether the other one may take it; raises ``FactoryNotActive``.

        From here on nothing is merged into it. So of mergers that would close a circle each is begun before the next,
        and the first after the last: one of them is refused, whichever processes carry them out.
        """
        if (self.status, self.merged_into) == (FactoryStatus.MERGED, merger.into):
            return self
        self._demand_next(FactoryStatus.MERGED)
        return msgspec.structs.replace(self, merging=merger)

    def merger_dropped(self, merger: Merger) -> "Factory":
        """The factory as before this merger, unless another one has begun."""
        return msgspec.structs.replace(self, merging=None) if self.merging == merger else self

    def merged(self, merger: Merger, why: Because) -> tuple["Factory", tuple[FactoryChangedV1, ...]]:
        """The factory, merged; raises ``FactoryNotActive`` unless this very merger is the one that has begun."""
        if self.merging != merger:
            raise FactoryNotActive("The factory was given another status meanwhile.")
        return self._moved(FactoryStatus.MERGED, why, {"merged_into": merger.into})

    def demand_takes_others(self) -> None:
        """Raise ``FactoryNotActive`` unless others may be merged into this factory."""
        if self.status is not FactoryStatus.ACTIVE:
            raise FactoryNotActive("The factory that it was merged into is not active.")
        if self.merging is not None:
            raise FactoryNotActive(
                "The factory that it was merged into is itself being merged; give it a status first."
            )

    def _demand_next(self, status: FactoryStatus) -> None:
        if status not in NEXT[self.status]:
            raise FactoryNotActive(f"A factory that is {self.status} cannot become {status}.")

    def _moved(
        self, status: FactoryStatus, why: Because, more: Mapping[str, str]
    ) -> tuple["Factory", tuple[FactoryChangedV1, ...]]:
        moved = msgspec.structs.replace(self, status=status, merged_into=more.get("merged_into", ""), merging=None)
        done = _noted(_holding(moved), str(status), why, {"status": str(self.status)}, {"status": str(status), **more})
        return done, (_change_of(done),)


def _holding(factory: Factory) -> Factory:
    """The factory with the slot of its OS Hub id, which only a factory in the programme holds."""
    slot = factory.os_id if factory.os_id and factory.status is FactoryStatus.ACTIVE else None
    return msgspec.structs.replace(factory, os_slot=slot)


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


def _plain_address(address: Address) -> Address:
    texts = {"lines": address.lines, "city": address.city, "postal_code": address.postal_code}
    if (address.latitude is None) != (address.longitude is None):
        raise Malformed("latitude and longitude go together.")
    kept = {name: plain(text.replace("\r\n", ", ").replace("\n", ", "), name) for name, text in texts.items() if text}
    return msgspec.structs.replace(address, **kept)
