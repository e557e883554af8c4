"""What the gateway remembers of tokens and signatures never outlives what made it true, and is bounded."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import pytest

from contracts.identity import Principal, Role, Shared
from contracts.vocabulary import ReportKind
from gateway import oidc as oidc_module
from gateway import signing
from gateway.keys import FRESH_S, Keys
from gateway.oidc import LEEWAY_S, Oidc
from gateway.replica import Decision
from gateway.signing import AGAIN_S, MOST_SIGNED, Signatures
from services.runtime.identity import NotAuthenticated, Signer, Verifier, verify_key_of
from tests.gateway.test_identity import EC, ISSUER, RSA, STRANGER, Issuer, jwk, token
from tests.support.services import SIGNING_KEY, a_principal

BUYER = a_principal(Role.BUYER, party_id="b1")
SHARED = {ReportKind.ASSESSMENT: Shared(frozenset({"f1"}))}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def oidc(issuer: Issuer) -> Oidc:
    return Oidc(ISSUER, "star", country="JO", fetch=issuer)


async def believed(oidc: Oidc, shown: str) -> Principal:
    return await oidc.principal(f"Bearer {shown}")


async def test_a_known_token_is_refused_when_it_is_over(oidc: Oidc) -> None:
    shown = token(exp=int(time.time()) - LEEWAY_S + 2)
    await believed(oidc, shown)
    await asyncio.sleep(2.1)
    with pytest.raises(NotAuthenticated):
        await believed(oidc, shown)


async def test_a_new_token_with_other_roles_counts_at_once(oidc: Oidc) -> None:
    assert (await believed(oidc, token(star_roles=["advisor"]))).roles == {Role.ADVISOR}
    assert (await believed(oidc, token(star_roles=["buyer"]))).roles == {Role.BUYER}
    assert (await believed(oidc, token(star_roles=["advisor"]))).roles == {Role.ADVISOR}


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_token_that_differs_from_a_known_one_anywhere_is_not_known(oidc: Oidc, part: int) -> None:
    shown, other = token().split("."), token(STRANGER, star_roles=["administrator"]).split(".")
    await believed(oidc, ".".join(shown))
    shown[part] = other[part] + ("A" if part == 0 else "")
    with pytest.raises(NotAuthenticated):
        await believed(oidc, ".".join(shown))


async def test_a_known_token_is_refused_when_the_issuer_has_withdrawn_its_key(issuer: Issuer, oidc: Oidc) -> None:
    now = 1000.0
    oidc.keys = Keys(ISSUER, issuer, clock=lambda: now)
    shown = token()
    await believed(oidc, shown)
    issuer.keys = [jwk(EC, "ec")]
    now += FRESH_S + 1
    await believed(oidc, shown)  # the keys are fetched again behind this request
    assert oidc.keys._refreshing is not None
    await oidc.keys._refreshing
    with pytest.raises(NotAuthenticated):
        await believed(oidc, shown)


async def test_a_known_token_is_refused_when_its_key_id_names_another_key(issuer: Issuer, oidc: Oidc) -> None:
    now = 1000.0
    oidc.keys = Keys(ISSUER, issuer, clock=lambda: now)
    shown = token(RSA)
    await believed(oidc, shown)
    issuer.keys = [jwk(STRANGER, "rsa")]
    now += FRESH_S + 1
    await oidc.keys.find("rsa")
    assert oidc.keys._refreshing is not None
    await oidc.keys._refreshing
    with pytest.raises(NotAuthenticated):
        await believed(oidc, shown)


async def test_tokens_are_remembered_up_to_a_number(oidc: Oidc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_module, "MOST_KNOWN", 5)
    for number in range(12):
        await believed(oidc, token(sub=f"u{number}"))
        with pytest.raises(NotAuthenticated):
            await believed(oidc, token(STRANGER, sub=f"u{number}"))
    assert len(oidc._known) == 5


async def test_a_token_itself_is_not_kept(oidc: Oidc) -> None:
    shown = token()
    await believed(oidc, shown)
    assert shown.rpartition(".")[2] not in repr(oidc._known)


class Wall:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def signatures(wall: Callable[[], float] | None = None) -> Signatures:
    return Signatures(Signer(SIGNING_KEY), clock=wall or time.time)


def told(header: bytes) -> Principal:
    """What a service understands."""
    return Verifier(verify_key_of(SIGNING_KEY)).principal(header.decode())


def test_a_signature_is_used_again_for_the_same_caller_and_decision() -> None:
    signed, decision = signatures(Wall()), Decision("b1", SHARED, 7)
    assert signed.header(BUYER, decision) is signed.header(BUYER, decision)
    assert told(signed.header(BUYER, decision)).shares == SHARED


@pytest.mark.parametrize("moved", [AGAIN_S, -1.0])
def test_a_signature_is_made_anew_after_some_seconds_and_when_the_clock_was_set_back(moved: float) -> None:
    wall = Wall()
    signed = signatures(wall)
    first = signed.header(BUYER, None)
    wall.now += moved
    assert signed.header(BUYER, None) is not first


def test_a_signature_never_outlives_the_epoch_of_its_shares() -> None:
    signed = signatures(Wall())
    first = signed.header(BUYER, Decision("b1", SHARED, 7))
    assert signed.header(BUYER, Decision("b1", SHARED, 8)) is not first


def test_other_shares_at_the_same_epoch_are_signed_anew() -> None:
    signed = signatures(Wall())
    signed.header(BUYER, Decision("b1", SHARED, 7))
    tomorrow = {ReportKind.ASSESSMENT: Shared(frozenset({"f2"}))}
    assert told(signed.header(BUYER, Decision("b1", tomorrow, 7))).shares == tomorrow
    assert told(signed.header(BUYER, None)).shares == {}


@pytest.mark.parametrize(
    "other",
    [
        a_principal(Role.BUYER, party_id="b2"),
        a_principal(Role.BUYER, Role.ADVISOR, party_id="b1"),
        msgspec.structs.replace(BUYER, subject="another"),
        msgspec.structs.replace(BUYER, name="Another"),
        msgspec.structs.replace(BUYER, country="VN"),
        a_principal(Role.BUYER),
    ],
)
def test_a_signature_is_only_for_its_caller(other: Principal) -> None:
    signed, decision = signatures(Wall()), Decision("b1", SHARED, 7)
    signed.header(BUYER, decision)
    found = told(signed.header(other, decision))
    assert msgspec.structs.replace(found, shares={}) == other


def test_signatures_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "MOST_SIGNED", 5)
    assert MOST_SIGNED > 5
    signed = signatures(Wall())
    for number in range(12):
        signed.header(a_principal(Role.ADVISOR, subject=f"u{number}"), None)
    assert len(signed._signed) == 5
