"""Further parties: manufacturing groups, vendors and agents between buyers and factories, and ministries."""

import re
from enum import StrEnum
from typing import Final

import msgspec

from contracts.errors import Malformed
from services.access.domain.buyer import Buyer
from services.access.domain.party import Change, Registration
from services.access.domain.text import plain

_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class OrganisationKind(StrEnum):
    """What an organisation does in the programme."""

    GROUP = "group"
    VENDOR = "vendor"
    AGENT = "agent"
    MINISTRY = "ministry"


GRANTEES: Final = frozenset({OrganisationKind.VENDOR, OrganisationKind.AGENT})
"""The kinds that a factory can grant something to, as to a buyer."""


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """A party that is neither factory nor buyer; ``country`` is where its headquarters are (ISO 3166-1 alpha-2).

    ``registration`` and ``history``, which is what was changed, oldest first, are for itself and the programme.
    """

    id: str
    kind: OrganisationKind
    name: str
    country: str = ""
    lei: str = ""
    registration: Registration | None = None
    history: tuple[Change, ...] = ()

    def registered(self) -> "Organisation":
        """The organisation as it is kept; raises ``Malformed`` for what cannot be right."""
        if self.country and not _COUNTRY.fullmatch(self.country):
            raise Malformed("country has two capital letters.")
        kept, _ = Buyer(id=self.id, name=self.name, lei=self.lei).registered()
        return msgspec.structs.replace(self, name=plain(self.name, "name"), lei=kept.lei)
