"""DPoP proofs (RFC 9449): that whoever shows a token holds the private key to which the token is bound."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import jwt
import rfc8785
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options
from yarl import URL

from contracts.errors import Refusal
from gateway.upstream import Headers
from services.runtime.identity import NotAuthenticated

OLDEST_S: Final = 60.0
SKEW_S: Final = 10.0
"""How far the clock of a caller may be ahead of ours."""

MOST_PROOF_CHARACTERS: Final = 8_192
MOST_SEEN: Final = 100_000
"""So many proofs are remembered in the time in which one could be shown again, twice over at most."""

_ALGORITHMS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("RSA", ""): ("PS256", "RS256"),
}
ALGORITHMS: Final = " ".join(sorted(name for names in _ALGORITHMS.values() for name in names))

_MEMBERS: Final = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
"""What of a key goes into its thumbprint (RFC 7638)."""

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS: Final = range(2048, 4097)
_CHECKED_HERE: Final[Options] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "require": ["htm", "htu", "iat", "jti", "ath"],
}
_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError)


class NotProven(NotAuthenticated):
    """The token may be good, but the caller did not show that it is the caller's."""

    def __init__(self, text: str, *, error: str = "invalid_dpop_proof", nonce: str = "") -> None:
        super().__init__(text)
        self.code = "nonce_needed" if nonce else "not_proven"
        self.is_question = bool(nonce)
        challenge = f'DPoP realm="star", error="{error}", algs="{ALGORITHMS}"'
        self.headers: Headers = ((b"www-authenticate", challenge.encode()),)
        if nonce:
            self.headers += ((b"dpop-nonce", nonce.encode()),)


class TooManyProofs(Refusal):
    """More proofs in a minute than can be remembered: none more is believed, lest one is believed twice."""

    status = 503
    code = "too_many_proofs"


class Asking(Protocol):
    """What of a request a proof speaks of, as it came over the wire."""

    @property
    def method(self) -> str:
        """The method."""

    @property
    def path(self) -> str:
        """The path, undecoded and without the query."""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Every header."""


class Nonces:
    """Nonces that hold for one to two periods; whoever has the key knows them, nothing is remembered."""

    def __init__(self, key: str, period_s: float, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(key.encode(), b"star dpop nonce", "sha256")
        self._period_s = period_s
        self._clock = clock

    def current(self) -> str:
        """The nonce to use from now on."""
        return self._of(0)

    def holds(self, nonce: object) -> bool:
        """Whether the nonce is that of this period or of the one before."""
        told = nonce.encode() if isinstance(nonce, str) else b""
        return any(hmac.compare_digest(self._of(ago).encode(), told) for ago in (0, 1))

    def _of(self, ago: int) -> str:
        period = int(self._clock() / self._period_s) - ago
        return _base64url(hmac.digest(self._key, period.to_bytes(8, signed=True), "sha256"))


class Seen:
    """What was seen in the last ``keep_s`` seconds at least; refuses rather than forget sooner."""

    def __init__(self, keep_s: float, *, most: int = MOST_SEEN, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._most = most
        self._clock = clock
        self._since = clock()
        self._now: set[bytes] = set()
        self._before: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._now) + len(self._before)

    def is_first(self, digest: bytes) -> bool:
        """Note the digest; tell whether it is new. Raises ``TooManyProofs``."""
        age = self._clock() - self._since
        if age > self._keep_s:
            self._before = self._now if age <= 2 * self._keep_s else set()
            self._now, self._since = set(), self._clock()
        if digest in self._now or digest in self._before:
            return False
        if len(self._now) >= self._most:
            raise TooManyProofs("Too many proofs were shown in the last minute; try again in a moment.")
        self._now.add(digest)
        return True


class Proofs:
    """Checks proofs, each believed once by this process."""

    def __init__(
        self, public_url: str, *, nonces: Nonces | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """``public_url`` is the address by which callers know the gateway."""
        self._public_url = public_url.rstrip("/")
        self._nonces = nonces
        self._clock = clock
        self._seen = Seen(OLDEST_S + SKEW_S)

    def check(self, asking: Asking, token: str, thumbprint: str, counted: Callable[[], None] = lambda: None) -> None:
        """Return when the request carries a fresh proof of the key with this thumbprint.

        ``counted`` may refuse a proof that is right before it is remembered, so that nobody fills the memory alone.
        Raises ``NotProven``, ``TooManyProofs``, and whatever ``counted`` raises.
        """
        shown = values(asking, b"dpop")
        if len(shown) != 1 or len(shown[0]) > MOST_PROOF_CHARACTERS:
            raise NotProven("The token is bound to a key: one DPoP proof is needed.")
        try:
            claims, found = _verified(shown[0])
            is_right = (
                hmac.compare_digest(found, thumbprint)
                and hmac.compare_digest(str(claims["ath"]), _base64url(hashlib.sha256(token.encode()).digest()))
                and claims["htm"] == asking.method
                and _place(claims["htu"]) == _place(self._public_url + asking.path)
                and -SKEW_S <= self._clock() - _number(claims["iat"]) <= OLDEST_S
            )
        except _BROKEN:
            raise NotProven("The DPoP proof cannot be believed.") from None
        if not is_right:
            raise NotProven("The DPoP proof is not of this key, token, method, address or time.")
        if self._nonces is not None and not self._nonces.holds(claims.get("nonce")):
            raise NotProven("Use the nonce.", error="use_dpop_nonce", nonce=self._nonces.current())
        told = claims["jti"]
        if not isinstance(told, str) or not told:
            raise NotProven("The DPoP proof cannot be believed.")
        counted()
        if not self._seen.is_first(hashlib.sha256(f"{thumbprint}\n{told}".encode()).digest()):
            raise NotProven("The DPoP proof was shown before.")


def values(asking: Asking, name: bytes) -> list[str]:
    """Every value of a header (lower case)."""
    return [value.decode("latin-1") for found, value in asking.headers if found.lower() == name]


def thumbprint_of(key: Mapping[str, Any]) -> str:
    """The thumbprint of a public JWK (RFC 7638, SHA-256, base64url)."""
    return _base64url(hashlib.sha256(rfc8785.dumps({name: str(key[name]) for name in _MEMBERS[key["kty"]]})).digest())


def _verified(proof: str) -> tuple[dict[str, Any], str]:
    """The claims of a proof that is signed by the key it carries, and the thumbprint of that key."""
    header = jwt.get_unverified_header(proof)
    raw, algorithm = header["jwk"], header["alg"]
    if header.get("typ") != "dpop+jwt" or "crit" in header or _PRIVATE & raw.keys():
        raise ValueError("header")
    if algorithm not in _ALGORITHMS.get((raw["kty"], raw.get("crv", "")), ()):
        raise ValueError("alg")
    public = {name: raw[name] for name in _MEMBERS[raw["kty"]]}
    key = jwt.PyJWK.from_dict(public, algorithm).key
    if isinstance(key, RSAPublicKey) and (key.key_size not in _RSA_BITS or key.public_numbers().e != 65537):
        raise ValueError("jwk")
    claims: dict[str, Any] = jwt.decode(proof, key, algorithms=[algorithm], options=_CHECKED_HERE)
    return claims, thumbprint_of(public)


def _place(url: object) -> str:
    """An address without its query, in the one spelling; raises ``ValueError`` for what is no plain address."""
    found = URL(url) if isinstance(url, str) else URL()
    if not found.absolute or found.user is not None or found.password is not None:
        raise ValueError("htu")
    return str(found.with_query(None).with_fragment(None))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("iat")
    return float(value)


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
