"""Who is at the door: an OIDC access token, verified, becomes a principal. Tokens are never logged."""

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
import msgspec

from contracts.errors import Malformed, NotPermitted
from contracts.identifiers import ID_PATTERN
from contracts.identity import ASSIGNABLE, STAFF, Principal, Role
from gateway.binding import Binding, Bindings
from gateway.dpop import Asking, Proofs, values
from gateway.keys import Fetch, Key, Keys
from services.runtime.identity import NotAuthenticated
from services.runtime.settings import Settings

LEEWAY_S: Final = 30
MOST_TOKEN_CHARACTERS: Final = 16_384
LONGEST_S: Final = 24 * 3600
"""A token that is good for longer is not believed: who loses an account would keep it."""

MOST_KNOWN: Final = 4_096
"""So many verified tokens are remembered; the oldest makes room."""

_TYPES: Final = frozenset({"", "JWT", "AT+JWT", "APPLICATION/AT+JWT"})
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError)


MOST_PARTIES: Final = 50
_PROGRAMME: Final = ""
"""Where no party is: for whom somebody speaks who speaks for none, or who has a role of the programme as well."""

_OF_BUYERS: Final = frozenset({Role.BUYER, Role.BUYER_PROVISIONER})
OF_PARTIES: Final = frozenset({Role.FACTORY, Role.GROUP}) | _OF_BUYERS
"""The roles that somebody has for a party, and without one not at all."""

_PARTY: Final = re.compile(rf"(?:(?P<role>{'|'.join(OF_PARTIES)}):)?(?P<id>{ID_PATTERN.strip('^')})", re.ASCII)
PARTY: Final = b"star-party"
"""The request header in which a person who speaks for several parties says for which."""


class PartyNeeded(Malformed):
    """The person speaks for several parties and did not say for which."""

    code = "party_needed"


class NotYourParty(NotPermitted):
    """The token does not name this party."""

    code = "not_your_party"


class PartyRoleNeeded(NotPermitted):
    """The account has roles of several kinds of party, and the token does not say which of them it has here."""

    code = "party_role_needed"


class _Known(msgspec.Struct, frozen=True):
    """Whom a verified token names by party, what it is bound to, which key verified it, and when it is over."""

    callers: Mapping[str, Principal]
    roles: frozenset[Role]
    binding: Binding
    key_id: str
    key: Key
    expires_at: int

    def caller(self, asking: Asking | None) -> Principal:
        """The caller as the party that the request names.

        Raises ``PartyNeeded``, ``NotYourParty`` and ``PartyRoleNeeded``.
        """
        told = values(asking, PARTY) if asking is not None else []
        if told:
            found = self.callers.get(told[0]) if len(told) == 1 and told[0] else None
        else:
            if _PROGRAMME not in self.callers and len(self.callers) > 1:
                raise PartyNeeded("You speak for several parties: say for which in Star-Party.")
            found = self.callers.get(_PROGRAMME) or next(iter(self.callers.values()))
        if found is None:
            raise NotYourParty("You do not speak for the party in Star-Party.")
        if (
            found.party_id
            and len({_OF_BUYERS if role in _OF_BUYERS else role for role in found.roles & OF_PARTIES}) > 1
        ):
            raise PartyRoleNeeded("Your account does not say which of its roles it has for this party.")
        return found


class Oidc:
    """Verifies the access tokens of one issuer for one audience.

    A token is verified once and then known by the hash of all of it, until it is over or its key is no longer the
    issuer's. What it is bound to is proven at every request. Neither the token nor a refusal is remembered.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        country: str,
        fetch: Fetch,
        bindings: Bindings | None = None,
        member_claim: str = "sub",
    ) -> None:
        """``member_claim`` is the claim that names a member of a buyer's staff."""
        self.keys = Keys(issuer, fetch)
        self._issuer = issuer
        self._audience = audience
        self._country = country
        self._bindings = bindings or Bindings(Proofs(""))
        self._member_claim = member_claim
        self._known: dict[bytes, _Known] = {}

    @classmethod
    def of(cls, settings: Settings, issuer: str, fetch: Fetch) -> "Oidc":
        """The tokens of an issuer as a deployment believes them."""
        return cls(
            issuer,
            settings.oidc_audience,
            country=settings.country,
            fetch=fetch,
            bindings=Bindings.of(settings),
            member_claim=settings.member_claim,
        )

    async def principal(self, authorization: str | None, asking: Asking | None = None) -> Principal:
        """The caller named by an ``Authorization`` header, for the party that the rest of the request names.

        Raises ``NotAuthenticated``, ``PartyNeeded``, ``NotYourParty`` and ``PartyRoleNeeded``, ``IssuerUnreachable``
        when the token's key is unknown and cannot be asked for, and ``TooManyProofs``.
        """
        scheme, _, token = (authorization or "").partition(" ")
        is_dpop = scheme.lower() == "dpop"
        if not (is_dpop or scheme.lower() == "bearer") or not token or len(token) > MOST_TOKEN_CHARACTERS:
            raise NotAuthenticated("A bearer token is needed.")
        try:
            digest = hashlib.sha256(token.encode()).digest()
            known = self._known.get(digest)
            if known is None or not await self._holds(known):
                self._known.pop(digest, None)
                known = await self._verified(token)
                self._remember(digest, known)
        except _BROKEN:
            raise NotAuthenticated("The token cannot be believed.") from None
        self._bindings.check(known.binding, token, asking, is_dpop=is_dpop, roles=known.roles)
        return known.caller(asking)

    async def stop(self) -> None:
        """Let go of every resource."""
        await self.keys.stop()

    async def _holds(self, known: _Known) -> bool:
        """Whether a known token is still good: not over, and its key still the one that the issuer publishes."""
        return known.expires_at > time.time() - LEEWAY_S and await self.keys.find(known.key_id) is known.key

    def _remember(self, digest: bytes, known: _Known) -> None:
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[digest] = known

    async def _verified(self, token: str) -> _Known:
        """A token whose signature, issuer, audience and times are right; the key fixes the algorithm."""
        header = jwt.get_unverified_header(token)
        key_id = header["kid"]
        if not isinstance(key_id, str) or str(header.get("typ", "")).upper() not in _TYPES or "crit" in header:
            raise NotAuthenticated("The token cannot be believed.")
        key = await self.keys.find(key_id)
        if key is None:
            raise NotAuthenticated("The token cannot be believed.")
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        expires_at = int(claims["exp"])
        if expires_at > time.time() + LONGEST_S + LEEWAY_S:
            raise NotAuthenticated("The token is good for longer than a day.")
        return _Known(self._callers(claims), _roles(claims), Binding.of(claims), key_id, key, expires_at)

    def _callers(self, claims: Mapping[str, Any]) -> dict[str, Principal]:
        """The person as each party it speaks for, and for the programme or for none.

        One request is made for the programme or for one party: who sees the country as an advisor is not asked under
        the lease, the record and the membership by which a buyer is.
        """
        subject, name, user_name = claims["sub"], claims.get("name"), claims.get(self._member_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise ValueError("sub")
        person = Principal(
            subject=subject,
            name=name[:200] if isinstance(name, str) else subject,
            roles=_roles(claims),
            country=self._country,
            user_name=user_name if isinstance(user_name, str) else "",
        )
        is_both = bool(person.roles & STAFF and person.roles & OF_PARTIES)
        spoken_for = _spoken_for(claims.get("star_party"), person.roles - STAFF if is_both else person.roles)
        callers = {
            party_id: msgspec.structs.replace(person, party_id=party_id, roles=roles)
            for party_id, roles in spoken_for.items()
        }
        if is_both:
            callers[_PROGRAMME] = msgspec.structs.replace(person, roles=person.roles - OF_PARTIES)
        return callers or {_PROGRAMME: person}


def _roles(claims: Mapping[str, Any]) -> frozenset[Role]:
    """The roles that an identity provider may give; anything else in the claim is ignored."""
    told = claims.get("star_roles")
    names = [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
    return frozenset(role for role in ASSIGNABLE if role.value in names)


def _spoken_for(claim: object, roles: frozenset[Role]) -> dict[str, frozenset[Role]]:
    """The roles by party that a person speaks for: one party, or a list; raises ``ValueError``.

    A party may carry its role, as in ``buyer:b1``: then the person has no other party's role there.
    """
    told = claim if isinstance(claim, list) else [] if claim is None else [claim]
    found: dict[str, frozenset[Role]] = {}
    for each in told:
        named = _PARTY.fullmatch(each) if isinstance(each, str) else None
        if named is None or named["id"] in found or len(found) == MOST_PARTIES:
            raise ValueError("star_party")
        others = OF_PARTIES - {named["role"]} if named["role"] else frozenset()
        found[named["id"]] = roles - others
    return found
