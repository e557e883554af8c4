"""Who is at the door: an OIDC access token, verified, becomes a principal. Tokens are never logged."""

import re
from collections.abc import Mapping
from typing import Any, Final

import jwt

from contracts.identifiers import ID_PATTERN
from contracts.identity import ASSIGNABLE, Principal, Role
from gateway.keys import Fetch, Keys
from services.runtime.identity import NotAuthenticated

LEEWAY_S: Final = 30
MOST_TOKEN_CHARACTERS: Final = 16_384
_TYPES: Final = frozenset({"", "JWT", "AT+JWT", "APPLICATION/AT+JWT"})
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError)


class Oidc:
    """Verifies the access tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, *, country: str, fetch: Fetch) -> None:
        self.keys = Keys(issuer, fetch)
        self._issuer = issuer
        self._audience = audience
        self._country = country

    async def principal(self, authorization: str | None) -> Principal:
        """The caller named by an ``Authorization`` header.

        Raises ``NotAuthenticated``, and ``IssuerUnreachable`` when the token's key is unknown and cannot be asked for.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MOST_TOKEN_CHARACTERS:
            raise NotAuthenticated("A bearer token is needed.")
        try:
            return self._principal(await self._claims(token))
        except _BROKEN:
            raise NotAuthenticated("The token cannot be believed.") from None

    async def stop(self) -> None:
        """Let go of every resource."""
        await self.keys.stop()

    async def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature, issuer, audience and times are right; the key fixes the algorithm."""
        header = jwt.get_unverified_header(token)
        key_id = header["kid"]
        if not isinstance(key_id, str) or str(header.get("typ", "")).upper() not in _TYPES or "crit" in header:
            raise NotAuthenticated("The token cannot be believed.")
        key = await self.keys.find(key_id)
        if key is None:
            raise NotAuthenticated("The token cannot be believed.")
        return jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )

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
