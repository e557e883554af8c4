"""Further parties: manufacturing groups, vendors and agents between buyers and factories, and ministries."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from contracts.errors import Malformed, RuleBroken
from services.access.domain.buyer import Buyer, BuyerStatus, changes
from services.access.domain.party import Because, Change, Registration
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


class OrganisationClosed(RuleBroken):
    """The organisation takes part no longer."""

    code = "organisation_closed"


class GroupHasFactories(RuleBroken):
    """A group that has factories sees and may grant for them: they leave it before it is closed."""

    code = "group_has_factories"


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """A party that is neither factory nor buyer; ``country`` is where its headquarters are (ISO 3166-1 alpha-2).

    A manufacturing group with factories in several countries is registered in the deployment of each, which knows the
    factories of its own country: that it is one and the same, its LEI says, or an id that is chosen alike in all.
    Whether a vendor or an agent is closed the consent ledger tells; ``status`` is then what its history knows of it.
    ``registration`` and ``history``, which is what was changed, oldest first, are for itself and the programme.
    """

    id: str
    kind: OrganisationKind
    name: str
    country: str = ""
    lei: str = ""
    status: BuyerStatus = BuyerStatus.ACTIVE
    registration: Registration | None = None
    history: tuple[Change, ...] = ()

    def registered(self) -> "Organisation":
        """The organisation as it is kept; raises ``Malformed`` for what cannot be right."""
        if self.country and not _COUNTRY.fullmatch(self.country):
            raise Malformed("country has two capital letters.")
        kept, _ = Buyer(id=self.id, name=self.name, lei=self.lei).registered()
        return msgspec.structs.replace(self, name=plain(self.name, "name"), lei=kept.lei)

    def changed(self, fields: Mapping[str, Any], why: Because) -> "Organisation":
        """The organisation with other values, which its history tells; raises ``Malformed`` as registering does."""
        kept = msgspec.structs.replace(self, **fields).registered()
        told = changes(self, kept, fields, why)
        return msgspec.structs.replace(kept, history=(*self.history, *told)) if told else self
