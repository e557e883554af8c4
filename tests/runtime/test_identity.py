"""The internal principal: believed when the gateway signed it just now, and never otherwise."""

import base64
import time
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.identity import Role
from services.runtime.identity import MOST_KNOWN, NotAuthenticated, Signer, Verifier, new_signing_key, verify_key_of
from tests.support.services import a_principal

KEY = new_signing_key()
VERIFIER = Verifier(verify_key_of(KEY))
CALLER = a_principal(Role.BUYER, party_id="b")


def forged(*, key: str = KEY, algorithm: str = "EdDSA", **changes: Any) -> str:
    now = int(time.time())
    claims = {"aud": "star.internal", "iat": now, "exp": now + 60, "principal": msgspec.to_builtins(CALLER)} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    if algorithm == "HS256":
        return jwt.encode(claims, verify_key_of(key).ljust(44, "="), algorithm="HS256")
    if algorithm == "none":
        return jwt.encode(claims, "", algorithm="none")
    return jwt.encode(claims, Ed25519PrivateKey.from_private_bytes(base64.b64decode(key)), algorithm="EdDSA")


def test_a_signed_principal_arrives_as_it_was() -> None:
    assert VERIFIER.principal(f"Bearer {Signer(KEY).sign(CALLER)}") == CALLER


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer not.a.token",
        f"Bearer {forged(key=new_signing_key())}",
        f"Bearer {forged(algorithm='none')}",
        f"Bearer {forged(algorithm='HS256')}",
        f"Bearer {forged(exp=int(time.time()) - 60)}",
        f"Bearer {forged(exp=None)}",
        f"Bearer {forged(aud='elsewhere')}",
        f"Bearer {forged(aud=None)}",
        f"Bearer {forged(principal=None)}",
        f"Bearer {forged(principal={'subject': 'x'})}",
        f"Bearer {forged(principal='administrator')}",
    ],
)
def test_anything_else_is_not_believed(header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        VERIFIER.principal(header)


def test_a_known_token_is_believed_as_long_as_it_is_good_and_no_longer() -> None:
    verifier = Verifier(verify_key_of(KEY))
    header = f"Bearer {forged(exp=int(time.time()) - 8)}"  # the skew of clocks leaves it two seconds at most
    assert verifier.principal(header) is verifier.principal(header)
    time.sleep(2.1)
    with pytest.raises(NotAuthenticated):
        verifier.principal(header)


def test_many_callers_take_a_bounded_room() -> None:
    verifier = Verifier(verify_key_of(KEY))
    headers = [f"Bearer {forged(jti=str(number))}" for number in range(MOST_KNOWN + 10)]
    assert {verifier.principal(header).party_id for header in headers} == {"b"}
    assert len(verifier._known) == MOST_KNOWN
    with pytest.raises(NotAuthenticated):
        verifier.principal("Bearer no.token")
    assert len(verifier._known) == MOST_KNOWN
