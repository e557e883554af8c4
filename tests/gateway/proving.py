"""A caller's machine that holds a key: the proofs it makes, right and wrong, and requests that carry them."""

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.dpop import thumbprint_of
from tests.gateway.test_identity import RSA, jwk, token

URL = "https://star.example"


@dataclass
class Request:
    """What a proof speaks of."""

    method: str = "GET"
    path: str = "/api/v1/reports"
    headers: tuple[tuple[bytes, bytes], ...] = ()


def bare(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A JWK without what only names it."""
    return {name: value for name, value in raw.items() if name not in {"kid", "use", "key_ops"}}


@dataclass
class Machine:
    """Holds a key and makes proofs with it."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    algorithm: str = "ES256"

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key."""
        return bare(jwk(self.key, "unused"))

    def token(self, **changes: Any) -> str:
        """An access token that is bound to the key."""
        given = {"star_roles": ["buyer"], "star_party": "b1", "cnf": {"jkt": thumbprint_of(self.jwk)}, **changes}
        return token(RSA, **given)

    def proof(self, shown: str, *, head: Mapping[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A proof for a token; ``head`` and ``changes`` replace what is right, ``...`` leaves it out."""
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": "GET",
            "htu": f"{URL}/api/v1/reports",
            "iat": int(time.time()),
            "ath": base64.urlsafe_b64encode(hashlib.sha256(shown.encode()).digest()).decode().rstrip("="),
        }
        told = {name: value for name, value in {**claims, **changes}.items() if value is not ...}
        header = {"typ": "dpop+jwt", "jwk": self.jwk, **(head or {})}
        algorithm = str(header.pop("alg", self.algorithm))
        return jwt.encode(told, key or self.key, algorithm=algorithm, headers=header)


def asking(*proofs: str, method: str = "GET", path: str = "/api/v1/reports", **headers: str) -> Request:
    """A request with proofs and other headers (``_`` for ``-``)."""
    more = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return Request(method, path, (*((b"dpop", proof.encode()) for proof in proofs), *more))
