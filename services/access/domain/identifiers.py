"""The public identifiers by which the world knows factories, buyers, industries and time zones; no I/O."""

import functools
import re
import zoneinfo
from collections.abc import Mapping
from typing import Final

from contracts.errors import Malformed

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_OS_ID: Final = re.compile(rf"[A-Z]{{2}}\d{{7}}[{_CROCKFORD}]{{6}}", re.ASCII)
_LEI: Final = re.compile(r"[A-Z0-9]{18}\d{2}", re.ASCII)
_LEI_CHECKS: Final = range(2, 99)
_ISIC: Final = re.compile(r"[A-U]\d{2,4}", re.ASCII)
_DIVISIONS: Final[Mapping[str, range]] = {
    "A": range(1, 4),
    "B": range(5, 10),
    "C": range(10, 34),
    "D": range(35, 36),
    "E": range(36, 40),
    "F": range(41, 44),
    "G": range(45, 48),
    "H": range(49, 54),
    "I": range(55, 57),
    "J": range(58, 64),
    "K": range(64, 67),
    "L": range(68, 69),
    "M": range(69, 76),
    "N": range(77, 83),
    "O": range(84, 85),
    "P": range(85, 86),
    "Q": range(86, 89),
    "R": range(90, 94),
    "S": range(94, 97),
    "T": range(97, 99),
    "U": range(99, 100),
}
"""The divisions of each section of ISIC, revision 4."""


class UnknownTimeZone(Malformed):
    """The time zone is not a name of the IANA database."""

    code = "unknown_time_zone"


class InvalidIdentifier(Malformed):
    """An OS Hub id, a LEI or an ISIC code is misspelt."""

    code = "invalid_identifier"


def checked_isic(text: str) -> str:
    """Check an ISIC code: its section, a division of that section, and perhaps one or two digits more."""
    found = _matching(text, _ISIC, "industry is an ISIC code with its section, such as C14")
    if int(found[1:3]) not in _DIVISIONS[found[0]]:
        raise InvalidIdentifier("industry names a division that its section does not have (ISIC, revision 4).")
    return found


def checked_os_id(text: str) -> str:
    """Check an OS Hub id: country, day, five random digits, and their sum as a Crockford base 32 digit."""
    found = text.replace("-", "").replace(" ", "").upper()
    _matching(found, _OS_ID, "os_id has 15 characters: country, day, five digits, check digit")
    total = ord(found[0]) + ord(found[1]) + sum(_CROCKFORD.index(digit) for digit in found[2:-1])
    if _CROCKFORD[total % 32] != found[-1]:
        raise InvalidIdentifier("os_id does not match its check digit.")
    return found


def checked_lei(text: str) -> str:
    """Check a legal entity identifier (ISO 17442): the digits leave 1 modulo 97, and the last two are 02 to 98.

    00, 01 and 99 leave the same as 97, 98 and 02, but ISO 7064 never gives them.
    """
    found = _matching(text.strip().upper(), _LEI, "lei has 18 letters or digits and two check digits")
    if int(found[-2:]) not in _LEI_CHECKS or int("".join(str(int(digit, 36)) for digit in found)) % 97 != 1:
        raise InvalidIdentifier("lei does not match its check digits.")
    return found


def checked_time_zone(name: str) -> str:
    """Check the name of a time zone of the IANA database; raises ``UnknownTimeZone``."""
    if name not in _time_zones():
        raise UnknownTimeZone("time_zone must be a name of the IANA database, such as Asia/Amman.")
    return name


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _matching(text: str, pattern: re.Pattern[str], rule: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidIdentifier(f"{rule}.")
    return text
