"""Tokens bound to a client certificate, people who speak for several parties, and both as a real gateway sees them."""

import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts.errors import Refusal
from contracts.identity import Role
from gateway.binding import Bindings
from gateway.dpop import Proofs, thumbprint_of
from gateway.oidc import NotYourParty, Oidc, PartyNeeded, PartyRoleNeeded
from services.runtime.identity import NotAuthenticated
from services.runtime.settings import BoundTokens
from tests.gateway.feed import FedConsent
from tests.gateway.proving import URL, Machine, asking
from tests.gateway.running import Door, Scripted, a_gateway, everywhere, upstream_to
from tests.gateway.test_identity import ISSUER, Issuer, token


def certificate(name: str) -> bytes:
    """A client certificate (DER) that signs itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(now)
    made = built.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


OURS, THEIRS = certificate("ours"), certificate("theirs")


def passed_on(der: bytes) -> str:
    """The header as whoever ends TLS passes it on (RFC 9440)."""
    return f":{base64.b64encode(der).decode()}:"


def for_certificate(der: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    return token(star_roles=["buyer"], star_party="b1", cnf={"x5t#S256": digest})


def an_oidc(header: str = "Client-Cert", demand: BoundTokens = BoundTokens.OFF) -> Oidc:
    bindings = Bindings(Proofs(URL), certificate_header=header, demand=demand)
    return Oidc(ISSUER, "star", country="JO", fetch=Issuer(), bindings=bindings)


async def test_a_token_bound_to_a_certificate_counts_with_that_certificate() -> None:
    oidc = an_oidc(demand=BoundTokens.BUYERS)
    principal = await oidc.principal(f"Bearer {for_certificate(OURS)}", asking(client_cert=passed_on(OURS)))
    assert principal.party_id == "b1"


@pytest.mark.parametrize(
    "shown",
    [
        "",
        passed_on(THEIRS),
        passed_on(OURS[:-1]),
        passed_on(b""),
        base64.b64encode(OURS).decode(),
        ":no base64!:",
        "::",
    ],
)
async def test_a_token_bound_to_a_certificate_counts_with_no_other(shown: str) -> None:
    oidc, known = an_oidc(), for_certificate(OURS)
    await oidc.principal(f"Bearer {known}", asking(client_cert=passed_on(OURS)))
    with pytest.raises(NotAuthenticated):
        await oidc.principal(f"Bearer {known}", asking(client_cert=shown))


async def test_two_certificates_are_none() -> None:
    request = asking(client_cert=passed_on(OURS))
    request.headers = (*request.headers, *request.headers)
    with pytest.raises(NotAuthenticated):
        await an_oidc().principal(f"Bearer {for_certificate(OURS)}", request)


@pytest.mark.parametrize("configured", ["", "X-Client-Cert"])
async def test_a_certificate_in_a_header_that_a_caller_made_up_is_not_believed(configured: str) -> None:
    with pytest.raises(NotAuthenticated):
        await an_oidc(configured).principal(f"Bearer {for_certificate(OURS)}", asking(client_cert=passed_on(OURS)))


async def test_a_token_bound_to_both_needs_both() -> None:
    machine, oidc = Machine(), an_oidc()
    digest = base64.urlsafe_b64encode(hashlib.sha256(OURS).digest()).decode().rstrip("=")
    shown = machine.token()
    both = machine.token(cnf={"x5t#S256": digest, "jkt": thumbprint_of(machine.jwk)})
    await oidc.principal(f"DPoP {both}", asking(machine.proof(both), client_cert=passed_on(OURS)))
    for request in (asking(machine.proof(both)), asking(client_cert=passed_on(OURS))):
        with pytest.raises(NotAuthenticated):
            await oidc.principal(f"DPoP {both}", request)
    await oidc.principal(f"DPoP {shown}", asking(machine.proof(shown)))


async def test_who_speaks_for_several_parties_says_for_which() -> None:
    oidc, shown = an_oidc(), token(star_roles=["factory"], star_party=["f1", "f2"])
    for party_id in ("f2", "f1"):
        principal = await oidc.principal(f"Bearer {shown}", asking(star_party=party_id))
        assert principal.party_id == party_id


@pytest.mark.parametrize(
    ("parties", "told", "refusal"),
    [
        (["f1", "f2"], None, PartyNeeded),
        (["f1", "f2"], "f3", NotYourParty),
        (["f1", "f2"], "", NotYourParty),
        (["f1", "f2"], "f1,f2", NotYourParty),
        ("f1", "f2", NotYourParty),
        (..., "f1", NotYourParty),
        ([], "f1", NotYourParty),
    ],
)
async def test_nobody_speaks_for_a_party_that_the_token_does_not_name(
    parties: object, told: str | None, refusal: type[Refusal]
) -> None:
    shown = token(star_roles=["factory"], star_party=parties)
    with pytest.raises(refusal):
        await an_oidc().principal(f"Bearer {shown}", asking() if told is None else asking(star_party=told))


async def test_a_request_for_two_parties_is_for_none() -> None:
    request = asking(star_party="f1")
    request.headers = (*request.headers, (b"star-party", b"f2"))
    with pytest.raises(NotYourParty):
        await an_oidc().principal(f"Bearer {token(star_party=['f1', 'f2'])}", request)


@contextlib.asynccontextmanager
async def door(folder: Path, service: Scripted) -> AsyncIterator[Door]:
    """A gateway that demands bound tokens of buyers, behind a proxy at ``URL``."""
    consent = FedConsent()
    consent.give("g1", "f1")
    identity = an_oidc(demand=BoundTokens.BUYERS)
    async with (
        upstream_to("inprocess", service) as upstream,
        a_gateway(folder, everywhere(upstream), consent, identity=identity, dev_users=None) as found,
    ):
        yield found


async def test_a_real_gateway_takes_a_proven_token_once_and_keeps_the_proof_to_itself(tmp_path: Path) -> None:
    service, machine = Scripted(), Machine()
    shown = machine.token()
    headers = {"authorization": f"DPoP {shown}", "dpop": machine.proof(shown), "client-cert": passed_on(OURS)}
    async with door(tmp_path, service) as gateway:
        first = await gateway.ask("GET", "/api/v1/reports?limit=1", headers=headers)
        again = await gateway.ask("GET", "/api/v1/reports?limit=1", headers=headers)
    assert (first.status, again.status) == (200, 401)
    assert again.json()["code"] == "not_proven"
    assert [sorted(seen.headers.keys() & {"dpop", "client-cert"}) for seen in service.seen] == [[]]


async def test_a_real_gateway_refuses_a_plain_token_of_a_buyer_and_says_what_it_takes(tmp_path: Path) -> None:
    service = Scripted()
    async with door(tmp_path, service) as gateway:
        plain = {"authorization": f"Bearer {token(star_roles=['buyer'], star_party='b1')}"}
        refused = await gateway.ask("GET", "/api/v1/reports", headers=plain)
    assert (refused.status, service.seen) == (401, [])
    assert refused.headers["www-authenticate"].startswith('DPoP realm="star", error="invalid_token", algs="ES256')


async def test_a_real_gateway_takes_a_token_with_the_certificate_of_its_owner(tmp_path: Path) -> None:
    authorization = {"authorization": f"Bearer {for_certificate(OURS)}"}
    async with door(tmp_path, Scripted()) as gateway:
        ours = await gateway.ask("GET", "/api/v1/reports", headers={**authorization, "client-cert": passed_on(OURS)})
        none = await gateway.ask("GET", "/api/v1/reports", headers=authorization)
    assert (ours.status, none.status) == (200, 401)


async def test_a_real_gateway_tells_the_service_for_which_party_somebody_speaks(tmp_path: Path) -> None:
    service = Scripted()
    authorization = {"authorization": f"Bearer {token(star_roles=['factory'], star_party=['f1', 'f2'])}"}
    async with door(tmp_path, service) as gateway:
        told = await gateway.ask("GET", "/api/v1/reports", headers={**authorization, "star-party": "f2"})
        untold = await gateway.ask("GET", "/api/v1/reports", headers=authorization)
        wrong = await gateway.ask("GET", "/api/v1/reports", headers={**authorization, "star-party": "b1"})
    assert service.seen[0].claims()["principal"]["party_id"] == "f2"
    assert [told.status, untold.status, wrong.status] == [200, 400, 403]
    assert [untold.json()["code"], wrong.json()["code"]] == ["party_needed", "not_your_party"]


async def test_a_role_may_be_bound_to_its_party() -> None:
    shown = token(star_roles=["factory", "buyer", "analyst"], star_party=["factory:f1", "buyer:b1"])
    roles = {}
    for party_id in ("f1", "b1"):
        principal = await an_oidc().principal(f"Bearer {shown}", asking(star_party=party_id))
        roles[party_id] = principal.roles
    assert roles == {"f1": {Role.FACTORY, Role.ANALYST}, "b1": {Role.BUYER, Role.ANALYST}}


@pytest.mark.parametrize(
    "roles", [["factory", "buyer"], ["buyer_provisioner", "factory"], ["group", "buyer", "advisor"]]
)
@pytest.mark.parametrize("parties", ["b1", ["f1", "b1"], ["factory:f1", "b1"]])
async def test_nobody_has_the_roles_of_two_kinds_of_party_for_one(roles: list[str], parties: object) -> None:
    shown = token(star_roles=roles, star_party=parties)
    with pytest.raises(PartyRoleNeeded):
        await an_oidc().principal(f"Bearer {shown}", asking(star_party="b1"))


@pytest.mark.parametrize("role", ["factory", "buyer", "group"])
async def test_one_request_is_made_for_the_programme_or_for_one_party(role: str) -> None:
    shown = token(star_roles=["advisor", role, "analyst"], star_party=["p1", "p2"])
    programme = await an_oidc().principal(f"Bearer {shown}", asking())
    party = await an_oidc().principal(f"Bearer {shown}", asking(star_party="p2"))
    assert [programme.roles, party.roles] == [{Role.ADVISOR, Role.ANALYST}, {Role(role), Role.ANALYST}]
    assert [programme.party_id, party.party_id] == [None, "p2"]


async def test_a_party_gives_no_role_that_the_person_has_not() -> None:
    shown = token(star_roles=["factory"], star_party="buyer:b1")
    assert (await an_oidc().principal(f"Bearer {shown}", asking())).roles == frozenset()
