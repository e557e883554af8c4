"""Callers who are not who they say: tokens that were forged, bent, are over or are meant for somebody else."""

import base64
import json
import time
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.identity import Principal, Role
from services.runtime.identity import Signer, new_signing_key
from tests.journeys.malformed.attack import Attack, Ground

Key = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
INTERNAL: Final = (
    (b"star-factory", b"{factory_id}"),
    (b"star-kind", b"assessment"),
    (b"star-epoch", b"999999999"),
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"x-forwarded-host", b"internal"),
    (b"x-forwarded-proto", b"https, http"),
    (b"forwarded", b"for=127.0.0.1;host=access;proto=http"),
    (b"x-original-url", b"/internal/consent"),
    (b"x-rewrite-url", b"/internal/consent"),
    (b"x-http-method-override", b"DELETE"),
    (b"x-real-ip", b"::1"),
    (b"x-star-principal", b'{"roles":["administrator"]}'),
    (b"traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-ff"),
    (b"traceparent", b"x" * 4_000),
    (b"baggage", b"a=b," * 2_000),
    (b"cookie", b"session=admin; " * 200),
    (b"range", b"bytes=" + b"0-1," * 1_000),
    (b"if-none-match", b'"' + b"x" * 5_000),
    (b"if-match", b"\xff\xfe"),
    (b"accept", b"application/x-python-serialize"),
    (b"accept", b"*/*;q=NaN"),
    (b"accept", b"text/csv;q=1e999"),
    (b"accept-encoding", b"gzip;q=1e9, *;q=-1"),
    (b"accept-language", b"\xff" * 100),
    (b"expect", b"100-continue"),
    (b"upgrade", b"websocket"),
    (b"idempotency-key", b"x" * 3_000),
    (b"at-least-epoch", b"99999999999999999999"),
    (b"dpop", b"e30.e30.e30"),
    (b"origin", b"https://evil.example"),
)


class Forger:
    """Makes tokens: with the issuer's own key for what is over or meant for others, and with no right to it."""

    def __init__(self, url: str, key: Key, sound: str) -> None:
        self._key = key
        self._claims: dict[str, Any] = jwt.decode(sound, options={"verify_signature": False})
        self._kid = jwt.get_unverified_header(sound)["kid"]
        self._sound = sound
        self._url = url
        self.tokens = tuple(self._made())

    def _made(self) -> list[str]:
        now = int(time.time())
        mine: list[dict[str, Any]] = [
            {"exp": now - 3_600},
            {"exp": 0},
            {"exp": "tomorrow"},
            {"nbf": now + 3_600},
            {"iat": now + 10**9, "nbf": now + 10**9},
            {"iss": "https://elsewhere.example"},
            {"iss": self._url},
            {"iss": [self._claims["iss"]]},
            {"aud": "another"},
            {"aud": "star.internal"},
            {"aud": []},
            {"sub": ""},
            {"sub": 7},
            {"sub": "x" * 300},
            {"star_party": "../.."},
            {"star_party": {"$ne": None}},
        ]
        changed = [self._signed({**self._claims, **change}) for change in mine]
        missing = [self._signed({k: v for k, v in self._claims.items() if k != name}) for name in ("exp", "aud", "iss")]
        return [*changed, *missing, *self._by_others(), *self._bent(), *self._internal()]

    def _signed(self, claims: dict[str, Any], **headers: Any) -> str:
        name = "RS256" if isinstance(self._key, rsa.RSAPrivateKey) else "EdDSA"
        return _encoded(claims, self._key, {"alg": name, "kid": self._kid, **headers})

    def _by_others(self) -> list[str]:
        """Signed with keys of others, with no key, and with the public key as a shared secret."""
        public, pem = (
            self._key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
            for encoding in (Encoding.DER, Encoding.PEM)
        )
        keys: dict[str, Any] = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
        }
        found = [
            jwt.encode(self._claims, key, algorithm=name, headers={"kid": self._kid}) for name, key in keys.items()
        ]
        found += [
            _hmac(self._claims, secret, self._kid)
            for secret in (public, public[-32:], pem, pem.strip(), b"", b"secret")
        ]
        found += [
            _encoded(self._claims, None, {"alg": name, "kid": self._kid}) for name in ("none", "None", "nOnE", "")
        ]
        found += [self._signed(self._claims, kid=kid) for kid in ("", "../../dev/null", "x" * 2_000, 7, None)]
        found += [self._signed(self._claims, jku="https://evil.example/jwks", x5u="file:///etc/passwd", crit=["b64"])]
        return found

    def _bent(self) -> list[str]:
        head, body, signature = self._sound.split(".")
        other = "A" if signature[5] != "A" else "B"
        return [
            f"{head}.{body}.{signature[:5]}{other}{signature[6:]}",
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}.{body}.{signature}.{signature}",
            f".{body}.{signature}",
            f"{head}..{signature}",
            "x" * 20_000,
            "a.b.c",
            "\udcff\udcfe",
            "..",
        ]

    def _internal(self) -> list[str]:
        """The principal as services believe it, which no caller may bring, signed by somebody else's key."""
        who = Principal(subject="admin", name="admin", roles=frozenset(Role), country="JO")
        return [Signer(new_signing_key()).sign(who)]


def forged_token(ground: Ground, forger: Forger) -> Attack:
    """A sound request with a token that cannot be believed: it must be answered 401."""
    operation = ground.operation()
    request = ground.request(operation, "nobody")
    request.headers.append(ground.bearer(ground.chance.choice(forger.tokens)))
    return Attack("forged token", "nobody", request.on_the_wire())


def wrong_authorization(ground: Ground) -> Attack:
    """A sound token in a wrong header: another scheme, in the query, twice."""
    request = ground.request(ground.operation(), "nobody")
    token = ground.tokens["analyst"]
    values = (b"Basic YWRtaW46YWRtaW4=", b"Bearer", b"Bearer ", b"bearer  " + b"x", b"Token " + token.encode(), b"\xff")
    if ground.chance.random() < 0.2:
        request.query = f"access_token={token}"
    else:
        request.headers.append((b"authorization", ground.chance.choice(values)))
    return Attack("wrong authorization", "nobody", request.on_the_wire())


def internal_headers(ground: Ground) -> Attack:
    """A sound request with headers that only the inside may set, or with ones that nobody understands."""
    caller, operation = ground.caller(), ground.operation()
    request = ground.request(operation, caller)
    for name, value in ground.chance.sample(INTERNAL, ground.chance.randint(1, 3)):
        request.headers.append((name, value.replace(b"{factory_id}", ground.stage.ids["factory_id"].encode())))
    return Attack("internal headers", caller, request.on_the_wire())


def _encoded(claims: dict[str, Any], key: Key | None, headers: dict[str, Any]) -> str:
    """A token as it is written, whatever its header says: a library would refuse to write most of these."""
    parts = [_base64(json.dumps(each).encode()) for each in (headers, claims)]
    content, signature = ".".join(parts).encode(), b""
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    elif key is not None:
        signature = key.sign(content)
    return ".".join([*parts, _base64(signature)])


def _hmac(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    parts = [_base64(json.dumps(each).encode()) for each in ({"alg": "HS256", "kid": kid}, claims)]
    return ".".join(
        [
            *parts,
            _base64(
                jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(".".join(parts).encode(), secret)
            ),
        ]
    )


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
