"""Tokens bound to a key: of use with a fresh proof of that key for this very request, and in no other way."""

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import dpop
from gateway.binding import Bindings
from gateway.dpop import OLDEST_S, SKEW_S, Nonces, NotProven, Proofs, Seen, TooManyProofs, thumbprint_of
from gateway.oidc import Oidc
from services.runtime.identity import NotAuthenticated
from services.runtime.settings import BoundTokens
from tests.gateway.proving import URL, Machine, Request, asking
from tests.gateway.test_identity import ISSUER, RSA, STRANGER, WEAK, Issuer, jwk, token

# The request of RFC 9449, section 7.1.
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq"
    "dGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNv"
    "dXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqz"
    "hrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
MACHINE = Machine()


def an_oidc(bindings: Bindings | None = None) -> Oidc:
    return Oidc(ISSUER, "star", country="JO", fetch=Issuer(), bindings=bindings or Bindings(Proofs(URL)))


@pytest.fixture
def oidc() -> Oidc:
    return an_oidc()


async def test_a_fresh_proof_of_the_key_is_believed(oidc: Oidc) -> None:
    shown = MACHINE.token()
    principal = await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown)))
    assert principal.party_id == "b1"


def test_the_example_of_the_standard_is_believed() -> None:
    proofs = Proofs("https://resource.example.org", clock=lambda: 1562262618.0)
    proofs.check(asking(RFC_PROOF, path="/protectedresource"), RFC_TOKEN, RFC_THUMBPRINT)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(Ed25519PrivateKey.generate(), "EdDSA"), (RSA, "RS256"), (RSA, "PS256"), (MACHINE.key, "ES256")],
)
def test_each_kind_of_key_can_prove(key: Any, algorithm: str) -> None:
    machine = Machine(key, algorithm)
    Proofs(URL).check(asking(machine.proof("t")), "t", thumbprint_of(machine.jwk))


def private(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    found: dict[str, Any] = jwt.get_algorithm_by_name("ES256").to_jwk(key, as_dict=True)
    return found


def unsigned(proof: str) -> str:
    head, claims, _ = proof.split(".")
    header = msgspec.json.decode(base64.urlsafe_b64decode(head + "==")) | {"alg": "none"}
    return f"{base64.urlsafe_b64encode(msgspec.json.encode(header)).decode().rstrip('=')}.{claims}."


def seconds_from_now(seconds: float) -> int:
    """Reckoned when the proof is made, which may be long after this module was read."""
    return int(time.time() + seconds)


OTHER = Machine()
HUGE = Machine(rsa.generate_private_key(public_exponent=3, key_size=2048), "RS256")
WRONG: dict[str, Callable[[str], Request]] = {
    "no proof": lambda _: asking(),
    "two proofs": lambda t: asking(MACHINE.proof(t), MACHINE.proof(t)),
    "no proof but a word": lambda _: asking("hello"),
    "a proof of another key": lambda t: asking(OTHER.proof(t)),
    "signed by another key than it carries": lambda t: asking(MACHINE.proof(t, key=OTHER.key)),
    "another type": lambda t: asking(MACHINE.proof(t, head={"typ": "JWT"})),
    "no key": lambda t: asking(MACHINE.proof(t, head={"jwk": None})),
    "a private key": lambda t: asking(MACHINE.proof(t, head={"jwk": private(MACHINE.key)})),
    "a shared secret": lambda t: asking(
        MACHINE.proof(t, key="s" * 32, head={"alg": "HS256", "jwk": {"kty": "oct", "k": "s" * 32}})
    ),
    "the public key as a secret": lambda t: asking(MACHINE.proof(t, key="s" * 32, head={"alg": "HS256"})),
    "not signed": lambda t: asking(unsigned(MACHINE.proof(t))),
    "a weak key": lambda t: asking(Machine(WEAK, "RS256").proof(t)),
    "a key with an odd exponent": lambda t: asking(HUGE.proof(t)),
    "critical extensions": lambda t: asking(MACHINE.proof(t, head={"crit": ["exp"]})),
    "another method": lambda t: asking(MACHINE.proof(t, htm="POST")),
    "another spelling of the method": lambda t: asking(MACHINE.proof(t, htm="get")),
    "another path": lambda t: asking(MACHINE.proof(t, htu=f"{URL}/api/v1/plans")),
    "another host": lambda t: asking(MACHINE.proof(t, htu="https://evil.example/api/v1/reports")),
    "the host that the caller names": lambda t: asking(
        MACHINE.proof(t, htu="https://evil.example/api/v1/reports"),
        host="evil.example",
        x_forwarded_host="evil.example",
    ),
    "no TLS": lambda t: asking(MACHINE.proof(t, htu="http://star.example/api/v1/reports")),
    "a user in the address": lambda t: asking(MACHINE.proof(t, htu="https://a@star.example/api/v1/reports")),
    "a path alone": lambda t: asking(MACHINE.proof(t, htu="/api/v1/reports")),
    "an address that is a number": lambda t: asking(MACHINE.proof(t, htu=7)),
    "too old": lambda t: asking(MACHINE.proof(t, iat=seconds_from_now(-OLDEST_S - 30))),
    "from the future": lambda t: asking(MACHINE.proof(t, iat=seconds_from_now(SKEW_S + 30))),
    "at no time": lambda t: asking(MACHINE.proof(t, iat=...)),
    "at a word": lambda t: asking(MACHINE.proof(t, iat="now")),
    "at true": lambda t: asking(MACHINE.proof(t, iat=True)),
    "at no number": lambda t: asking(MACHINE.proof(t, iat=float("nan"))),
    "at a number without end": lambda t: asking(MACHINE.proof(t, iat=10**400)),
    "without a name": lambda t: asking(MACHINE.proof(t, jti=...)),
    "with an empty name": lambda t: asking(MACHINE.proof(t, jti="")),
    "for another token": lambda _: asking(MACHINE.proof("another")),
    "for no token": lambda t: asking(MACHINE.proof(t, ath=...)),
    "too long": lambda t: asking(MACHINE.proof(t, jti="j" * 10_000)),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", WRONG)
async def test_anything_else_proves_nothing(oidc: Oidc, name: str) -> None:
    shown = MACHINE.token()
    await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown)))  # the token itself is good, and known
    with pytest.raises(NotProven) as refusal:
        await oidc.principal(f"DPoP {shown}", WRONG[name](shown))
    assert (
        b'DPoP realm="star", error="invalid_dpop_proof", algs="ES256'
        in dict(refusal.value.headers)[b"www-authenticate"]
    )


@pytest.mark.parametrize("name", ["jku", "x5u", "kid"])
async def test_where_else_a_key_could_be_found_is_not_looked_at(oidc: Oidc, name: str) -> None:
    shown, stranger = MACHINE.token(), Machine()
    forged = stranger.proof(shown, head={"jwk": MACHINE.jwk, name: "https://evil.example/jwks"})
    with pytest.raises(NotProven):
        await oidc.principal(f"DPoP {shown}", asking(forged))


@pytest.mark.parametrize(
    "htu", ["https://STAR.example:443/api/v1/reports", f"{URL}/api/v1/reports?limit=5#top", f"{URL}/api/v1/./%72eports"]
)
async def test_other_spellings_of_the_same_address_are_the_same(oidc: Oidc, htu: str) -> None:
    shown = MACHINE.token()
    await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown, htu=htu)))


async def test_a_proof_is_believed_once(oidc: Oidc) -> None:
    shown = MACHINE.token()
    proof = MACHINE.proof(shown)
    await oidc.principal(f"DPoP {shown}", asking(proof))
    with pytest.raises(NotProven, match="shown before"):
        await oidc.principal(f"DPoP {shown}", asking(proof))


async def test_a_token_that_is_known_already_needs_its_proof_all_the_same(oidc: Oidc) -> None:
    shown = MACHINE.token()
    await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown)))
    with pytest.raises(NotProven):
        await oidc.principal(f"DPoP {shown}", asking())
    with pytest.raises(NotAuthenticated):
        await oidc.principal(f"DPoP {shown}")


async def test_a_bound_token_is_of_no_use_as_bearer_and_an_unbound_one_not_as_dpop(oidc: Oidc) -> None:
    shown, plain = MACHINE.token(), token()
    with pytest.raises(NotProven, match="DPoP"):
        await oidc.principal(f"Bearer {shown}", asking(MACHINE.proof(shown)))
    with pytest.raises(NotProven, match="Bearer"):
        await oidc.principal(f"DPoP {plain}", asking(MACHINE.proof(plain)))


@pytest.mark.parametrize(
    "cnf", [{}, {"jwk": jwk(STRANGER, "x")}, {"jkt": "short"}, {"jkt": 7}, "jkt", None, {"kid": "k", "jkt": "A" * 43}]
)
async def test_a_binding_that_cannot_be_checked_is_no_token(oidc: Oidc, cnf: object) -> None:
    shown = token(cnf=cnf)
    for scheme in ("Bearer", "DPoP"):
        with pytest.raises(NotAuthenticated):
            await oidc.principal(f"{scheme} {shown}", asking(MACHINE.proof(shown)))


async def test_a_nonce_is_asked_for_given_and_outdated() -> None:
    now = 1_000_000.0
    nonces = Nonces("key", 30.0, clock=lambda: now)
    oidc, shown = an_oidc(Bindings(Proofs(URL, nonces=nonces))), MACHINE.token()
    with pytest.raises(NotProven) as refusal:
        await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown)))
    headers = dict(refusal.value.headers)
    assert b'error="use_dpop_nonce"' in headers[b"www-authenticate"]
    nonce = headers[b"dpop-nonce"].decode()
    for later in (0.0, 30.0):
        now += later
        await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown, nonce=nonce)))
    now += 30.0
    for wrong in (nonce, "invented", 7):
        with pytest.raises(NotProven):
            await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown, nonce=wrong)))


def test_nonces_are_the_same_at_every_gateway_of_one_key_and_no_other() -> None:
    now = time.time
    assert Nonces("key", 600.0, clock=now).holds(Nonces("key", 600.0, clock=now).current())
    assert not Nonces("key", 600.0, clock=now).holds(Nonces("other", 600.0, clock=now).current())


async def test_a_country_can_demand_that_tokens_of_buyers_are_bound() -> None:
    oidc, shown = an_oidc(Bindings(Proofs(URL), demand=BoundTokens.BUYERS)), MACHINE.token()
    for role in ("buyer", "buyer_provisioner"):
        plain = token(star_roles=[role], star_party="b1")
        with pytest.raises(NotProven, match="bound"):
            await oidc.principal(f"Bearer {plain}", asking())
    await oidc.principal(f"DPoP {shown}", asking(MACHINE.proof(shown)))
    await oidc.principal(f"Bearer {token(star_roles=['advisor'])}", asking())


def test_what_was_seen_is_forgotten_late_enough_and_takes_bounded_room() -> None:
    now = 0.0
    seen = Seen(10.0, most=3, clock=lambda: now)
    assert all(seen.is_first(bytes([number])) for number in range(3))
    with pytest.raises(TooManyProofs):
        seen.is_first(b"more")
    now = 10.1
    assert not seen.is_first(b"\0")
    assert seen.is_first(b"more")
    now = 20.5
    assert not seen.is_first(b"more")
    now = 31.0
    assert seen.is_first(b"\0")
    assert len(seen) <= 6


def test_a_proof_cannot_be_shown_again_as_long_as_it_is_fresh() -> None:
    assert dpop.MOST_SEEN > 10_000
    wall = time.time()
    proofs, proof = Proofs(URL, clock=lambda: wall), MACHINE.proof("t", iat=int(wall + SKEW_S))
    proofs.check(asking(proof), "t", thumbprint_of(MACHINE.jwk))
    wall += SKEW_S + OLDEST_S - 2
    with pytest.raises(NotProven, match="before"):
        proofs.check(asking(proof), "t", thumbprint_of(MACHINE.jwk))
