"""The signed internal principal: the gateway signs who is asking, a service believes nothing else."""

import base64
import binascii
import functools
import time
import zlib
from datetime import timedelta
from typing import TypeVar

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.identity import Principal, Shared, Shares
from contracts.vocabulary import ReportKind

ALGORITHM = "EdDSA"
AUDIENCE = "star.internal"
_EVERY_CYCLE = "*"
LIFETIME = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=10)
MOST_KNOWN = 256
T = TypeVar("T")


class NotAuthenticated(Exception):
    """The request carries no principal that can be believed."""


def new_signing_key() -> str:
    """A fresh Ed25519 private key, base64 of its 32 bytes."""
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def verify_key_of(signing_key: str) -> str:
    """The public half of a signing key, base64 of its 32 bytes."""
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(signing_key))
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


class Signer:
    """Signs principals; only the gateway holds one."""

    def __init__(self, signing_key: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(signing_key))

    def sign(self, principal: Principal) -> str:
        """A token that a service accepts for a minute; it fits a header also when thousands of factories share."""
        now = int(time.time())
        claims = {
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
            "principal": msgspec.to_builtins(msgspec.structs.replace(principal, shares={}, factories=frozenset())),
        }
        if principal.shares:
            claims["shares"] = _packed(tuple(principal.shares.items()))
        if principal.factories:
            claims["factories"] = _compressed(sorted(principal.factories))
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)


class _Known(msgspec.Struct, frozen=True):
    """A caller whose token was checked, and until when (wall clock, in seconds) it is good."""

    principal: Principal
    ends: float


class Verifier:
    """Checks principals; every service holds one.

    A gateway shows the same token again and again for some seconds. The very same header is not checked again while
    it is good: that would take longer than many a request.
    """

    def __init__(self, verify_key: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(verify_key))
        self._known: dict[str, _Known] = {}

    def principal(self, authorization: str | None) -> Principal:
        """The caller named by an ``Authorization: Bearer`` header; raises ``NotAuthenticated``."""
        header = authorization or ""
        known = self._known.get(header)
        if known is None or known.ends <= time.time():
            self._known.pop(header, None)
            known = self._checked(header)
            if len(self._known) >= MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[header] = known
        return known.principal

    def _checked(self, authorization: str) -> _Known:
        """The caller whose token is good; raises ``NotAuthenticated``."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("A bearer token is needed.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iat", "aud"]},
            )
            principal = msgspec.convert(claims["principal"], Principal)
            shares = _unpacked(claims["shares"]) if "shares" in claims else {}
            factories = _expanded(claims["factories"], frozenset[str]) if "factories" in claims else frozenset[str]()
        except (jwt.PyJWTError, KeyError, msgspec.MsgspecError, zlib.error, binascii.Error) as error:
            raise NotAuthenticated("The token cannot be believed.") from error
        ends = int(claims["exp"]) + CLOCK_SKEW.total_seconds()
        return _Known(msgspec.structs.replace(principal, shares=shares, factories=factories), ends)


@functools.lru_cache(maxsize=256)
def _packed(shares: tuple[tuple[ReportKind, Shared], ...]) -> str:
    """Shares as a claim: each factory once with its kinds and cycles, in order, compressed.

    A buyer's shares seldom change, and a frozen set remembers its hash: most requests find them packed.
    """
    seen: dict[str, list[str]] = {}
    for kind, shared in shares:
        for cycle, factories in ((_EVERY_CYCLE, shared.every), *shared.by_cycle):
            for factory_id in factories:
                seen.setdefault(factory_id, []).append(f"{kind}:{cycle}")
    by_seen: dict[str, list[str]] = {}
    for factory_id in sorted(seen):
        by_seen.setdefault(",".join(sorted(seen[factory_id])), []).append(factory_id)
    return _compressed(by_seen)


@functools.lru_cache(maxsize=256)
def _unpacked(claim: str) -> Shares:
    """The shares in a claim of a verified token."""
    by_seen = _expanded(claim, dict[str, frozenset[str]])
    found: dict[str, dict[str, frozenset[str]]] = {}
    for seen, factories in by_seen.items():
        for kind, _, cycle in (each.partition(":") for each in seen.split(",")):
            cycles = found.setdefault(kind, {})
            cycles[cycle] = cycles.get(cycle, frozenset()) | factories
    return {
        ReportKind(kind): Shared(
            cycles.pop(_EVERY_CYCLE, frozenset()), tuple(sorted((int(cycle), each) for cycle, each in cycles.items()))
        )
        for kind, cycles in found.items()
    }


def _compressed(content: object) -> str:
    """What may be long, as a claim."""
    return base64.b64encode(zlib.compress(msgspec.json.encode(content), level=6)).decode()


def _expanded(claim: str, content: type[T]) -> T:
    """What a claim of a verified token holds."""
    return msgspec.json.decode(zlib.decompress(base64.b64decode(claim)), type=content)
