"""Nothing that opens a door is in a log, whatever the level and whatever goes wrong: tokens, proofs, keys, names."""

import logging
from pathlib import Path
from typing import Any

import pytest

from gateway.binding import Bindings
from gateway.dpop import Nonces, Proofs
from gateway.inprocess import InProcessUpstream
from gateway.oidc import Oidc
from tests.access.parties import ADMIN, FACTORY, a_grant, access
from tests.gateway.proving import URL, Machine
from tests.gateway.running import Door, a_gateway, everywhere
from tests.gateway.test_bound_tokens import OURS, passed_on
from tests.gateway.test_identity import ISSUER, Issuer, token
from tests.support.services import LEDGER_KEY, SIGNING_KEY, signed

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
STAFF_NAME = "canary-5d1f@buyer.example"


class Said:
    """What was shown to the gateway and must be said by nobody."""

    def __init__(self) -> None:
        self.secrets = [SIGNING_KEY, LEDGER_KEY, "STAR_NONCE_KEY", STAFF_NAME]

    def __call__(self, secret: str) -> str:
        self.secrets += [secret, secret.rpartition(".")[2]] if "." in secret else [secret]
        return secret


async def ask_in_every_way(door: Door, said: Said) -> list[int]:
    """Right and wrong tokens, proofs and certificates; a directory's changes; the statuses that came of it."""
    machine = Machine()
    shown = said(machine.token(sub="directory", star_roles=["buyer_provisioner"]))
    path = "/scim/v2/Users"

    def proven(method: str, key: Machine, nonce: object = ...) -> dict[str, str]:
        proof = said(key.proof(shown, htm=method, htu=f"{URL}{path}", nonce=nonce))
        return {"authorization": f"DPoP {shown}", "dpop": proof}

    nonce = (await door.ask("GET", path, headers=proven("GET", machine))).headers["dpop-nonce"]
    body = {"schemas": [USER], "userName": STAFF_NAME}
    plain = said(token(star_roles=["administrator"]))
    asked: tuple[tuple[str, dict[str, str], dict[str, Any]], ...] = (
        ("POST", proven("POST", machine, nonce=nonce), {"json": body}),
        ("POST", proven("POST", machine, nonce=nonce), {"json": body}),
        ("POST", proven("POST", machine, nonce=nonce), {"data": f'{{"userName": "{STAFF_NAME}"'}),
        ("GET", proven("GET", machine, nonce=nonce), {"params": {"filter": f'userName eq "{STAFF_NAME}" or'}}),
        ("GET", proven("GET", Machine(), nonce=nonce), {}),
        ("GET", {"authorization": f"Bearer {plain}", "client-cert": passed_on(OURS)}, {}),
        ("GET", {"authorization": f"Bearer {plain}x"}, {}),
        ("GET", {"authorization": f"Basic {plain}"}, {}),
    )
    return [(await door.ask(method, path, headers=headers, **more)).status for method, headers, more in asked]


async def test_no_secret_is_in_any_log_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = Said()
    bindings = Bindings(Proofs(URL, nonces=Nonces("STAR_NONCE_KEY", 600.0)), certificate_header="client-cert")
    identity = Oidc(ISSUER, "star", country="JO", fetch=Issuer(), bindings=bindings)
    async with access(tmp_path / "access") as service:
        await service.post("/api/v1/grants", FACTORY, a_grant())
        said(signed(ADMIN)["authorization"].removeprefix("Bearer "))
        upstreams = everywhere(InProcessUpstream(service.service.app))
        async with a_gateway(tmp_path, upstreams, identity=identity, dev_users=None) as door:
            statuses = await ask_in_every_way(door, said)
    assert statuses == [201, 409, 400, 400, 401, 403, 401, 401]
    text = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert "asyncio" in text or "star" in text, "nothing was logged, so nothing was tried"
    assert not [secret for secret in said.secrets if secret in text]
