"""The public keys of an OIDC issuer: discovered, cached, fetched again when a token names a new one."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from contracts.errors import Refusal
from services.runtime.periodic import ended

logger = logging.getLogger(__name__)

FRESH_S = 600.0
"""After this long the keys are fetched again in the background; a key that the issuer withdrew is gone then."""

BETWEEN_FETCHES_S = 10.0
"""Tokens with invented key ids cannot make the gateway ask the issuer more often."""

_FETCH_TIMEOUT_S = 4.0
_MOST_BYTES = 1024 * 1024
_MIN_RSA_BITS = 2048

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class IssuerUnreachable(Refusal):
    """The token names a key that is not known here, and the issuer cannot be asked."""

    status = 503
    code = "issuer_not_available"


class Fetch(Protocol):
    """How documents of the issuer are read."""

    async def __call__(self, url: str) -> bytes:
        """The body under an address; raises when it cannot be read."""

    async def stop(self) -> None:
        """Let go of every resource."""


class HttpFetch:
    """Documents over HTTP, without redirects and not beyond a size."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, url: str) -> bytes:
        """See ``Fetch``."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_FETCH_TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise ConnectionError(f"the issuer answered {response.status}")
            content = await response.content.read(_MOST_BYTES + 1)
            while len(content) <= _MOST_BYTES and (more := await response.content.read(_MOST_BYTES)):
                content += more
            if len(content) > _MOST_BYTES:
                raise ConnectionError("the issuer answered too much")
            return content

    async def stop(self) -> None:
        """See ``Fetch``."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Key(msgspec.Struct, frozen=True):
    """A key and the one algorithm it may be used with: the token does not choose."""

    key: PublicKey
    algorithm: str


class Keys:
    """The keys of one issuer by key id."""

    def __init__(self, issuer: str, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer.rstrip("/")
        self._exact_issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._is_reachable = False
        self._turn = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Return when keys are known: a readiness check that fetches them the first time."""
        if not self._keys:
            await self._refresh(known_at=self._fetched_at)
        if not self._keys:
            raise ConnectionError("no key of the issuer is known")

    async def find(self, key_id: str) -> Key | None:
        """The key with this id, ``None`` when the issuer has none; raises ``IssuerUnreachable``."""
        if (key := self._keys.get(key_id)) is not None:
            if self._clock() - self._fetched_at > FRESH_S and (self._refreshing is None or self._refreshing.done()):
                self._refreshing = asyncio.create_task(self._refresh(known_at=self._fetched_at))
            return key
        await self._refresh(known_at=self._fetched_at)
        if (key := self._keys.get(key_id)) is None and not self._is_reachable:
            raise IssuerUnreachable("Who you are cannot be checked just now; try again in a moment.")
        return key

    async def stop(self) -> None:
        """Let go of every resource."""
        await ended(self._refreshing)
        await self._fetch.stop()

    async def _refresh(self, *, known_at: float) -> None:
        """Fetch the keys, unless somebody just did; when that fails the known ones stay."""
        async with self._turn:
            now = self._clock()
            if self._fetched_at != known_at or now - self._tried_at < BETWEEN_FETCHES_S:
                return
            self._tried_at = now
            try:
                self._keys = await self._fetched()
            except Exception as error:  # noqa: BLE001 - an issuer can fail in any way; the known keys still work
                self._is_reachable = False
                logger.warning("the issuer's keys cannot be read", extra={"reason": type(error).__name__})
            else:
                self._is_reachable = True
                self._fetched_at = now

    async def _fetched(self) -> dict[str, Key]:
        found = msgspec.json.decode(await self._fetch(f"{self._issuer}/.well-known/openid-configuration"))
        if not isinstance(found, dict) or found.get("issuer") not in {self._issuer, self._exact_issuer}:
            raise ConnectionError("the discovery document is another issuer's")
        published = msgspec.json.decode(await self._fetch(str(found["jwks_uri"])), type=dict[str, Any])
        keys = {raw["kid"]: key for raw in published["keys"] if "kid" in raw and (key := _usable(raw))}
        if not keys:
            raise ConnectionError("the issuer publishes no usable key")
        return keys


def _usable(raw: dict[str, Any]) -> Key | None:
    """The key if it is a public signing key of a kind that STAR believes."""
    if raw.get("use", "sig") != "sig" or "verify" not in raw.get("key_ops", ["verify"]):
        return None
    try:
        found = jwt.PyJWK.from_dict(raw).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    algorithm = _algorithm(found)
    if algorithm is None or raw.get("alg", algorithm) != algorithm:
        return None
    return Key(found, algorithm)


def _algorithm(key: object) -> str | None:
    if isinstance(key, RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
        return "RS256"
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return "ES256"
    if isinstance(key, Ed25519PublicKey):
        return "EdDSA"
    return None
