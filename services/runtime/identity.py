"""The signed internal principal: the gateway signs who is asking, a service believes nothing else."""

import base64
import binascii
import functools
import time
import zlib
from datetime import timedelta

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.identity import Principal
from contracts.vocabulary import ReportKind

ALGORITHM = "EdDSA"
AUDIENCE = "star.internal"
LIFETIME = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=10)


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
            "principal": msgspec.to_builtins(msgspec.structs.replace(principal, shares={})),
        }
        if principal.shares:
            claims["shares"] = _packed(tuple(principal.shares.items()))
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)


class Verifier:
    """Checks principals; every service holds one."""

    def __init__(self, verify_key: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(verify_key))

    def principal(self, authorization: str | None) -> Principal:
        """The caller named by an ``Authorization: Bearer`` header; raises ``NotAuthenticated``."""
        scheme, _, token = (authorization or "").partition(" ")
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
        except (jwt.PyJWTError, KeyError, msgspec.MsgspecError, zlib.error, binascii.Error) as error:
            raise NotAuthenticated("The token cannot be believed.") from error
        return msgspec.structs.replace(principal, shares=shares)


Shares = dict[ReportKind, frozenset[str]]


@functools.lru_cache(maxsize=256)
def _packed(shares: tuple[tuple[ReportKind, frozenset[str]], ...]) -> str:
    """Shares as a claim: each factory once with its kinds, in order, compressed.

    A buyer's shares seldom change, and a frozen set remembers its hash: most requests find them packed.
    """
    kinds: dict[str, list[ReportKind]] = {}
    for kind, factories in shares:
        for factory_id in factories:
            kinds.setdefault(factory_id, []).append(kind)
    by_kinds: dict[str, list[str]] = {}
    for factory_id in sorted(kinds):
        by_kinds.setdefault(",".join(sorted(kinds[factory_id])), []).append(factory_id)
    return base64.b64encode(zlib.compress(msgspec.json.encode(by_kinds), level=6)).decode()


@functools.lru_cache(maxsize=256)
def _unpacked(claim: str) -> Shares:
    """The shares in a claim of a verified token."""
    by_kinds = msgspec.json.decode(zlib.decompress(base64.b64decode(claim)), type=dict[str, frozenset[str]])
    shares: Shares = {}
    for kinds, factories in by_kinds.items():
        for kind in map(ReportKind, kinds.split(",")):
            shares[kind] = shares.get(kind, frozenset()) | factories
    return shares
