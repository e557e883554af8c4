"""Who is at the door: an OIDC access token, verified, becomes a principal. Tokens are never logged."""

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
import msgspec

from contracts.identifiers import ID_PATTERN
from contracts.identity import ASSIGNABLE, Principal, Role
from gateway.keys import Fetch, Key, Keys
from services.runtime.identity import NotAuthenticated

LEEWAY_S: Final = 30
MOST_TOKEN_CHARACTERS: Final = 16_384
MOST_KNOWN: Final = 4_096
"""So many verified tokens are remembered; the oldest makes room."""

_TYPES: Final = frozenset({"", "JWT", "AT+JWT", "APPLICATION/AT+JWT"})
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError)


class _Known(msgspec.Struct, frozen=True):
    """Whom a verified token names, which key verified it, and when it is over."""

    principal: Principal
    key_id: str
    key: Key
    expires_at: int


class Oidc:
    """Verifies the access tokens of one issuer for one audience.

    A token is verified once and then known by the hash of all of it, until it is over or its key is no longer the
    issuer's. Neither the token nor a refusal is remembered.
    """

    def __init__(self, issuer: str, audience: str, *, country: str, fetch: Fetch) -> None:
        self.keys = Keys(issuer, fetch)
        self._issuer = issuer
        self._audience = audience
        self._country = country
        self._known: dict[bytes, _Known] = {}

    async def principal(self, authorization: str | None) -> Principal:
        """The caller named by an ``Authorization`` header.

        Raises ``NotAuthenticated``, and ``IssuerUnreachable`` when the token's key is unknown and cannot be asked for.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MOST_TOKEN_CHARACTERS:
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
        return known.principal

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
        return _Known(self._principal(claims), key_id, key, int(claims["exp"]))

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise ValueError("sub")
        name = claims.get("name")
        return Principal(
            subject=subject,
            name=name[:200] if isinstance(name, str) else subject,
            roles=_roles(claims.get("star_roles")),
            country=self._country,
            party_id=_party(claims.get("star_party")),
        )


def _roles(claim: object) -> frozenset[Role]:
    """The roles that an identity provider may give; anything else in the claim is ignored."""
    names = [name for name in claim if isinstance(name, str)] if isinstance(claim, list) else []
    return frozenset(role for role in ASSIGNABLE if role.value in names)


def _party(claim: object) -> str | None:
    if claim is None:
        return None
    if not isinstance(claim, str) or not re.fullmatch(ID_PATTERN, claim, re.ASCII):
        raise ValueError("star_party")
    return claim
