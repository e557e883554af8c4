"""A member of a buyer's staff as the buyer's directory describes the person; whether active, the ledger says."""

import hashlib
from datetime import datetime
from typing import Final

import msgspec

from contracts.access import member_key
from contracts.errors import Malformed, RuleBroken
from services.access.domain.text import plain

MOST_MEMBERS: Final = 5_000
"""So many members of its staff a buyer may keep here."""

MOST_EMAILS: Final = 10
_LONGEST: Final = 255


class TooManyMembers(RuleBroken):
    """The buyer keeps as many members here as it may."""

    code = "too_many_members"


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """An address of a person."""

    value: str
    type: str = ""
    display: str = ""
    is_primary: bool | None = None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory says of a person; ``external_id`` is the directory's own id."""

    user_name: str
    external_id: str = ""
    display_name: str = ""
    formatted_name: str = ""
    given_name: str = ""
    family_name: str = ""
    emails: tuple[Email, ...] = ()

    def checked(self) -> "Profile":
        """The profile in plain text; raises ``Malformed`` for what is too long, too much or no text."""
        if len(self.emails) > MOST_EMAILS:
            raise Malformed(f"A member has at most {MOST_EMAILS} addresses.")
        texts = ("external_id", "display_name", "formatted_name", "given_name", "family_name")
        return Profile(
            user_name=_text(self.user_name, "userName"),
            emails=tuple(_plain_email(email) for email in self.emails),
            **{name: _text(told, name) for name in texts if (told := getattr(self, name))},
        )


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a buyer's staff. ``key`` is the one spelling of the name, unique within the buyer."""

    id: str
    buyer_id: str
    key: str
    profile: Profile
    created_at: datetime
    changed_at: datetime

    @classmethod
    def new(cls, member_id: str, buyer_id: str, profile: Profile, *, now: datetime) -> "Member":
        """A member who was not known before; raises ``Malformed``."""
        kept = profile.checked()
        key = member_key(kept.user_name)
        return cls(id=member_id, buyer_id=buyer_id, key=key, profile=kept, created_at=now, changed_at=now)

    def described(self, profile: Profile, *, now: datetime) -> "Member":
        """The member as described anew, the same when nothing changes; raises ``Malformed``."""
        kept = profile.checked()
        if kept == self.profile:
            return self
        return msgspec.structs.replace(self, key=member_key(kept.user_name), profile=kept, changed_at=now)


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member and whether the ledger lets the person act for the buyer."""

    member: Member
    is_active: bool

    @property
    def version(self) -> str:
        """What differs whenever the view does."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


def demand_room(count: int) -> None:
    """Raise ``TooManyMembers`` when a buyer keeps that many already."""
    if count >= MOST_MEMBERS:
        raise TooManyMembers(f"A buyer keeps at most {MOST_MEMBERS} members here.")


def _text(text: str, field: str) -> str:
    if len(text) > _LONGEST:
        raise Malformed(f"{field} holds at most {_LONGEST} characters.")
    return plain(text, field)


def _plain_email(email: Email) -> Email:
    return Email(
        value=_text(email.value, "emails"),
        type=_text(email.type, "type") if email.type else "",
        display=_text(email.display, "display") if email.display else "",
        is_primary=email.is_primary,
    )
