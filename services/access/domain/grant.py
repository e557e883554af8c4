"""What a factory approves: a buyer, kinds of report, days and a purpose."""

from datetime import date
from typing import Annotated, Final

import msgspec

from contracts.errors import Malformed
from contracts.vocabulary import ReportKind
from services.access.domain.text import plain

LONGEST_AHEAD_DAYS: Final = 3650
"""A grant may not begin, nor end, further away than this: a mistyped year is no consent."""


class GrantDatesWrong(Malformed):
    """The days of a grant make no sense."""

    code = "grant_dates_wrong"


class SeparateConsentNeeded(Malformed):
    """Business figures are approved apart from compliance."""

    code = "separate_consent_needed"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The person of the factory who approved."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    role: Annotated[str, msgspec.Meta(max_length=200)] = ""

    def plain(self) -> "Approval":
        """The person as it is sealed for good; raises ``Malformed`` for a name or role that is no text."""
        return Approval(name=plain(self.name, "name"), role=plain(self.role, "role") if self.role.strip() else "")


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A factory's approval of a buyer for some kinds of report, from the first day to the last, both included.

    It may rest on an agreement of the two, on a buyer's request, and on a signed paper (its SHA-256 in hex).
    """

    id: str
    factory_id: str
    buyer_id: str
    kinds: tuple[ReportKind, ...]
    starts_on: date
    ends_on: date | None = None
    purpose: str
    approved_by: Approval | None = None
    agreement_id: str = ""
    request_id: str = ""
    document_sha256: str = ""

    def checked(self, today: date) -> "Grant":
        """The grant with its kinds in order; raises ``Malformed`` for no kind and for days that make no sense."""
        if not self.kinds:
            raise Malformed("A grant names at least one kind of report.")
        if ReportKind.QUALITY_PRODUCTIVITY in self.kinds and len(set(self.kinds)) > 1:
            raise SeparateConsentNeeded("Quality and productivity are shared by a consent of their own only.")
        if self.ends_on is not None and self.ends_on < max(self.starts_on, today):
            raise GrantDatesWrong("The last day lies before the first day, or is over.")
        if any(abs((day - today).days) > LONGEST_AHEAD_DAYS for day in (self.starts_on, self.ends_on) if day):
            raise GrantDatesWrong(f"The days of a grant lie within {LONGEST_AHEAD_DAYS} days of today.")
        return self.ordered()

    def ordered(self) -> "Grant":
        """The grant with each of its kinds once, in order, so that what says the same is equal."""
        return msgspec.structs.replace(self, kinds=tuple(sorted(set(self.kinds))))
