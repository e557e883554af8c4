"""The development issuer of the embedded run: tokens for a few invented people. Refused when deployed."""

import base64
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import NotFound
from contracts.identity import Role
from services.runtime.settings import Environment, InvalidSettings, Settings

LIFETIME_S: Final = 8 * 3600
KEY_ID: Final = "dev"


class DevUser(msgspec.Struct, frozen=True):
    """An invented person; ``name`` is what one asks a token for."""

    name: str
    display_name: str
    roles: frozenset[Role]
    party_id: str | None = None


class DevToken(msgspec.Struct, frozen=True):
    """The answer of ``POST /dev/token``."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - not a password
    expires_in: int = LIFETIME_S


class DevIssuer:
    """Issues tokens that the gateway verifies like anybody's; the key survives a restart in the data folder."""

    def __init__(self, settings: Settings, users: Sequence[DevUser]) -> None:
        if settings.environment is not Environment.EMBEDDED:
            raise InvalidSettings("the development issuer serves STAR_ENVIRONMENT=embedded only")
        self.issuer = f"http://{settings.host}:{settings.port}/dev"
        self._audience = settings.oidc_audience
        self._users: Mapping[str, DevUser] = {user.name: user for user in users}
        self._key = _kept_key(settings.data_folder / "dev_issuer.key")

    @property
    def names(self) -> tuple[str, ...]:
        """The users there are."""
        return tuple(self._users)

    def token(self, name: str) -> DevToken:
        """A token for a user; raises ``NotFound``."""
        user = self._users.get(name)
        if user is None:
            raise NotFound(f"There is no such user; there are: {', '.join(self._users)}.")
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self._audience,
            "sub": user.name,
            "name": user.display_name,
            "iat": now,
            "exp": now + LIFETIME_S,
            "star_roles": sorted(user.roles),
            **({"star_party": user.party_id} if user.party_id else {}),
        }
        return DevToken(jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": KEY_ID}))

    def discovery(self) -> dict[str, object]:
        """The OIDC discovery document."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint": f"{self.issuer}/token",
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        }

    def jwks(self) -> dict[str, object]:
        """The public key."""
        raw = self._key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": x}]}

    async def __call__(self, url: str) -> bytes:
        """The documents as the gateway's key cache fetches them, without a socket."""
        documents = {
            f"{self.issuer}/.well-known/openid-configuration": self.discovery,
            f"{self.issuer}/jwks": self.jwks,
        }
        return msgspec.json.encode(documents[url]())

    async def stop(self) -> None:
        """See ``keys.Fetch``: there is nothing to let go of."""


def _kept_key(path: Path) -> Ed25519PrivateKey:
    """The key under the path; a new one, readable by its owner only, when there is none."""
    if path.exists():
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes_raw())
    return key
