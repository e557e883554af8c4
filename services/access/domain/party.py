"""Factories and buyers, and the public identifiers by which the world knows them."""

import functools
import re
import unicodedata
import zoneinfo
from typing import Annotated, Final

import msgspec

from contracts.access import BuyerRegisteredV1, FactoryRegisteredV1
from contracts.errors import Malformed

ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_OS_ID: Final = re.compile(rf"[A-Z]{{2}}\d{{7}}[{_CROCKFORD}]{{6}}", re.ASCII)
_LEI: Final = re.compile(r"[A-Z0-9]{18}\d{2}", re.ASCII)
_ISIC: Final = re.compile(r"[A-U]\d{2,4}", re.ASCII)


class UnknownTimeZone(Malformed):
    """The time zone is not a name of the IANA database."""

    code = "unknown_time_zone"


class InvalidIdentifier(Malformed):
    """An OS Hub id, a LEI or an ISIC code is misspelt."""

    code = "invalid_identifier"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a factory stands; degrees are WGS 84."""

    lines: Annotated[str, msgspec.Meta(max_length=500)] = ""
    city: Annotated[str, msgspec.Meta(max_length=200)] = ""
    postal_code: Annotated[str, msgspec.Meta(max_length=20)] = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """A factory of the programme.

    ``original_id`` is its id in the country's earlier system, ``industry`` an ISIC code with its section letter (C14),
    ``owner_group`` the manufacturing group for the rules of small groups.
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

    def registered(self) -> tuple["Factory", FactoryRegisteredV1]:
        """The factory as it is kept, with its event; raises ``Malformed`` for what cannot be right."""
        kept = msgspec.structs.replace(
            self,
            original_id=plain(self.original_id, "original_id"),
            name=plain(self.name, "name"),
            industry=_matching(self.industry, _ISIC, "industry is an ISIC code with its section, such as C14"),
            time_zone=_time_zone(self.time_zone),
            address=_plain_address(self.address),
            os_id=_os_id(self.os_id) if self.os_id else "",
            lei=_lei(self.lei) if self.lei else "",
            tax_id=plain(self.tax_id, "tax_id") if self.tax_id else "",
            owner_group=plain(self.owner_group, "owner_group") if self.owner_group else "",
        )
        event = FactoryRegisteredV1(
            factory_id=kept.id,
            original_id=kept.original_id,
            name=kept.name,
            country=kept.country,
            industry=kept.industry,
            time_zone=kept.time_zone,
            owner_group=kept.owner_group,
        )
        return kept, event


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """A buyer of the programme."""

    id: str
    name: str
    lei: str = ""

    def registered(self) -> tuple["Buyer", BuyerRegisteredV1]:
        """The buyer as it is kept, with its event; raises ``Malformed`` for what cannot be right."""
        lei = _lei(self.lei) if self.lei else ""
        kept = msgspec.structs.replace(self, name=plain(self.name, "name"), lei=lei)
        return kept, BuyerRegisteredV1(buyer_id=kept.id, name=kept.name)


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


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _time_zone(name: str) -> str:
    if name not in _time_zones():
        raise UnknownTimeZone("time_zone must be a name of the IANA database, such as Asia/Amman.")
    return name


def _matching(text: str, pattern: re.Pattern[str], rule: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidIdentifier(f"{rule}.")
    return text


def _os_id(text: str) -> str:
    """Check an OS Hub id: country, day, five random digits, and their sum as a Crockford base 32 digit."""
    found = text.replace("-", "").replace(" ", "").upper()
    _matching(found, _OS_ID, "os_id has 15 characters: country, day, five digits, check digit")
    total = ord(found[0]) + ord(found[1]) + sum(_CROCKFORD.index(digit) for digit in found[2:-1])
    if _CROCKFORD[total % 32] != found[-1]:
        raise InvalidIdentifier("os_id does not match its check digit.")
    return found


def _lei(text: str) -> str:
    """Check a legal entity identifier (ISO 17442: the digits leave 1 modulo 97)."""
    found = _matching(text.strip().upper(), _LEI, "lei has 18 letters or digits and two check digits")
    if int("".join(str(int(digit, 36)) for digit in found)) % 97 != 1:
        raise InvalidIdentifier("lei does not match its check digits.")
    return found
