"""Who is believed at the door: real tokens of a rotating issuer, and none of the forgeries."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.identity import Role
from gateway.keys import IssuerUnreachable, Keys
from gateway.oidc import Oidc
from services.runtime.identity import NotAuthenticated

ISSUER = "https://id.example"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it must be refused
EC = ec.generate_private_key(ec.SECP256R1())
ED = Ed25519PrivateKey.generate()
PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, key_id: str, **more: object) -> dict[str, Any]:
    algorithms = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256", Ed25519PrivateKey: "EdDSA"}
    name = next(name for kind, name in algorithms.items() if isinstance(key, kind))
    raw = jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True)
    return {**raw, "kid": key_id, "use": "sig", **more}


class Issuer:
    """An OIDC issuer whose documents the test holds."""

    def __init__(self) -> None:
        self.keys = [jwk(RSA, "rsa"), jwk(EC, "ec"), jwk(ED, "ed"), jwk(WEAK, "weak")]
        self.keys += [{"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(b"s" * 32).decode()}]
        self.keys += [jwk(RSA, "enc", use="enc")]
        self.is_up = True
        self.fetches = 0
        self.name = ISSUER

    async def __call__(self, url: str) -> bytes:
        if not self.is_up:
            raise ConnectionError
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return json.dumps({"issuer": self.name, "jwks_uri": f"{ISSUER}/jwks"}).encode()
        self.fetches += 1
        return json.dumps({"keys": self.keys}).encode()

    async def stop(self) -> None:
        pass


def claims(**changes: object) -> dict[str, Any]:
    now = int(time.time())
    told = {"iss": ISSUER, "aud": "star", "sub": "u1", "name": "U", "exp": now + 300, "star_roles": ["advisor"]}
    return {name: value for name, value in {**told, **changes}.items() if value is not ...}


def token(key: Any = RSA, algorithm: str = "RS256", kid: object = "rsa", head: Any = None, **changes: object) -> str:
    headers = {"kid": kid, **(head or {})} if kid is not None else head
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def crafted(header: dict[str, object], signature: bytes = b"", **changes: object) -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims(**changes)).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def hs256_with_the_public_key() -> str:
    unsigned = crafted({"alg": "HS256", "typ": "JWT", "kid": "rsa"}).rpartition(".")[0]
    mac = hmac.new(PEM, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def with_other_claims() -> str:
    head, _, signature = token().split(".")
    return f"{head}.{crafted({}, star_roles=['administrator']).split('.')[1]}.{signature}"


NOW = int(time.time())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FORGERIES: dict[str, Callable[[], str]] = {
    "nothing signed it": lambda: crafted({"alg": "none", "typ": "JWT", "kid": "rsa"}),
    "none in capitals": lambda: crafted({"alg": "NONE", "kid": "rsa"}),
    "none with a signature": lambda: crafted({"alg": "none", "kid": "rsa"}, b"x"),
    "the public key as a secret": hs256_with_the_public_key,
    "a symmetric key that was published": lambda: token("s" * 32, "HS256", "oct"),
    "a stranger under a known key id": lambda: token(STRANGER),
    "the stranger's own key in the header": lambda: token(STRANGER, head={"jwk": jwk(STRANGER, "x")}),
    "the stranger's key set in the header": lambda: token(STRANGER, head={"jku": "https://evil.example/jwks"}),
    "other claims under a true signature": with_other_claims,
    "the stranger's certificate in the header": lambda: token(
        STRANGER, head={"x5c": ["MIIB"], "x5u": "https://evil.example"}
    ),
    "a token within a token": lambda: token(head={"cty": "JWT"}, sub={"token": token()}),
    "an encrypted token": lambda: f"{token()}.AAAA.AAAA",
    "claims that are a list": lambda: token().replace(token().split(".")[1], "W10"),
    "a header that is a list": lambda: "W10." + token().partition(".")[2],
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "no key id": lambda: token(kid=None),
    "an unknown key id": lambda: token(kid="unknown"),
    "a key id that is a list": lambda: crafted({"alg": "RS256", "kid": ["rsa"]}),
    "a key id that is a path": lambda: token(kid="../../etc/passwd"),
    "another algorithm of the same key": lambda: token(RSA, "RS512"),
    "another family's algorithm": lambda: token(EC, "ES256", "rsa"),
    "a weak key": lambda: token(WEAK, "RS256", "weak"),
    "an encryption key": lambda: token(RSA, "RS256", "enc"),
    "another issuer": lambda: token(iss="https://evil.example"),
    "an issuer that begins alike": lambda: token(iss=f"{ISSUER}.evil.example"),
    "no issuer": lambda: token(iss=...),
    "another audience": lambda: token(aud="other"),
    "other audiences": lambda: token(aud=["other", "stars", "STAR"]),
    "an audience that is a number": lambda: token(aud=[7]),
    "no audience": lambda: token(aud=...),
    "over": lambda: token(exp=NOW - 600),
    "never over": lambda: token(exp=...),
    "over in years": lambda: token(exp=NOW + 2 * 365 * 86_400),
    "made a month ago, over in an hour": lambda: token(iat=NOW - 30 * 86_400, exp=NOW + 3_600),
    "made at no time": lambda: token(iat="yesterday"),
    "over at a word": lambda: token(exp="tomorrow"),
    "over at infinity": lambda: crafted({"alg": "RS256", "kid": "rsa"}, exp=float("inf")),
    "not yet": lambda: token(nbf=NOW + 36_000),
    "made in the future": lambda: token(iat=NOW + 36_000),
    "nobody": lambda: token(sub=...),
    "an empty subject": lambda: token(sub=""),
    "a party that is a path": lambda: token(star_party="../f1"),
    "a party that is a path, among others": lambda: token(star_party=["f1", "../f1"]),
    "a party with a role that is no party's": lambda: token(star_party=["administrator:f1"]),
    "a party twice": lambda: token(star_party=["factory:f1", "buyer:f1"]),
    "parties in a list of lists": lambda: token(star_party=[["f1"]]),
    "a party that is an object": lambda: token(star_party={"id": "f1"}),
    "more parties than anybody speaks for": lambda: token(star_party=[f"f{n}" for n in range(51)]),
    "critical extensions": lambda: token(head={"crit": ["b64"], "b64": False}),
    "another type of token": lambda: token(head={"typ": "logout+jwt"}),
    "two dots of nothing": lambda: "..",
    "no token": lambda: "hello",
    "too long": lambda: token(name="n" * 20_000),
}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def oidc(issuer: Issuer) -> Oidc:
    return Oidc(ISSUER, "star", country="JO", fetch=issuer)


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "rsa"), (EC, "ES256", "ec"), (ED, "EdDSA", "ed")])
async def test_a_true_token_is_believed(oidc: Oidc, key: Any, algorithm: str, kid: str) -> None:
    principal = await oidc.principal(f"Bearer {token(key, algorithm, kid, star_party='f1')}")
    assert (principal.subject, principal.name, principal.country, principal.party_id) == ("u1", "U", "JO", "f1")
    assert principal.roles == {Role.ADVISOR}


async def test_one_of_several_audiences_is_enough(oidc: Oidc) -> None:
    assert (await oidc.principal(f"Bearer {token(aud=['other', 'star'])}")).subject == "u1"


async def test_a_token_that_says_when_it_was_made_is_good_for_a_day(oidc: Oidc) -> None:
    now = int(time.time())
    assert (await oidc.principal(f"Bearer {token(iat=now - 23 * 3_600, exp=now + 3_600)}")).subject == "u1"
    with pytest.raises(NotAuthenticated):
        await oidc.principal(f"Bearer {token(iat=now - 24 * 3_600, exp=now + 3_600)}")


async def test_clocks_may_differ_a_little(oidc: Oidc) -> None:
    now = int(time.time())
    for shown in (token(exp=now - 10), token(nbf=now + 10), token(iat=now + 10)):
        assert (await oidc.principal(f"Bearer {shown}")).subject == "u1"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_not_believed(oidc: Oidc, name: str) -> None:
    with pytest.raises(NotAuthenticated):
        await oidc.principal(f"Bearer {FORGERIES[name]()}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dTpw", "Bearer a b", "bearer\ttoken"])
async def test_another_header_is_no_identity(oidc: Oidc, header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        await oidc.principal(header)


async def test_a_refusal_does_not_repeat_the_token(oidc: Oidc, caplog: pytest.LogCaptureFixture) -> None:
    secret = token(exp=NOW - 60)
    with pytest.raises(NotAuthenticated) as refusal:
        await oidc.principal(f"Bearer {secret}")
    assert secret not in str(refusal.value) + caplog.text
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        (["gateway", "buyer"], {Role.BUYER}),
        (["root", 7, None, {"a": 1}], set()),
        ("administrator", set()),
        (None, set()),
        (["advisor", "team_leader"], {Role.ADVISOR, Role.TEAM_LEADER}),
    ],
)
async def test_only_roles_that_a_person_can_have_are_taken(oidc: Oidc, claim: object, roles: set[Role]) -> None:
    assert (await oidc.principal(f"Bearer {token(star_roles=claim)}")).roles == roles


async def test_a_new_key_is_fetched_when_a_token_names_it(issuer: Issuer) -> None:
    now = 1000.0
    keys = Keys(ISSUER, issuer, clock=lambda: now)
    await keys.check()
    issuer.keys.append(jwk(STRANGER, "next"))
    now += 11
    assert await keys.find("next") is not None


async def test_invented_key_ids_do_not_flood_the_issuer(issuer: Issuer) -> None:
    now = 1000.0
    keys = Keys(ISSUER, issuer, clock=lambda: now)
    for number in range(100):
        assert await keys.find(f"invented{number}") is None
    assert issuer.fetches == 1


async def test_known_keys_work_while_the_issuer_is_away(issuer: Issuer) -> None:
    now = 1000.0
    keys = Keys(ISSUER, issuer, clock=lambda: now)
    await keys.check()
    issuer.is_up = False
    now += 3600
    assert await keys.find("rsa") is not None
    now += 3600
    with pytest.raises(IssuerUnreachable):
        await keys.find("next")
    await keys.stop()


async def test_keys_rotate_while_tokens_are_in_use(issuer: Issuer, oidc: Oidc) -> None:
    now = 1000.0
    oidc.keys = Keys(ISSUER, issuer, clock=lambda: now)
    older = token()
    await oidc.principal(f"Bearer {older}")
    issuer.keys.append(jwk(STRANGER, "next"))
    now += 11
    for shown in (token(STRANGER, kid="next"), older):
        assert (await oidc.principal(f"Bearer {shown}")).subject == "u1"


async def test_while_the_issuer_is_away_only_tokens_of_known_keys_are_believed(issuer: Issuer, oidc: Oidc) -> None:
    now = 1000.0
    oidc.keys = Keys(ISSUER, issuer, clock=lambda: now)
    shown = token()
    await oidc.principal(f"Bearer {shown}")
    issuer.is_up, now = False, now + 3600
    for known in (shown, token(sub="u2")):
        await oidc.principal(f"Bearer {known}")
    now += 11
    with pytest.raises(IssuerUnreachable):
        await oidc.principal(f"Bearer {token(STRANGER, kid='next')}")
    await oidc.stop()


async def test_a_withdrawn_key_is_forgotten(issuer: Issuer) -> None:
    now = 1000.0
    keys = Keys(ISSUER, issuer, clock=lambda: now)
    await keys.check()
    issuer.keys = [jwk(EC, "ec")]
    now += 601
    await keys.find("rsa")
    assert keys._refreshing is not None
    await keys._refreshing
    assert await keys.find("rsa") is None


async def test_another_issuer_s_documents_are_refused(issuer: Issuer) -> None:
    issuer.name = "https://evil.example"
    with pytest.raises(IssuerUnreachable):
        await Keys(ISSUER, issuer).find("rsa")
