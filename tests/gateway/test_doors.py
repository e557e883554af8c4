"""The gateway's own addresses: the page, the document, health, and the development issuer where it is allowed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest

from gateway import doors
from gateway.app import make_gateway
from gateway.inprocess import InProcessUpstream
from services.runtime.settings import Environment, InvalidSettings
from tests.gateway.feed import FedConsent
from tests.gateway.running import DOCUMENT, USERS, Door, Scripted, a_gateway, everywhere, gateway_settings, upstream_to
from tests.support.eventually import eventually


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
def consent() -> FedConsent:
    return FedConsent()


@pytest.fixture
async def door(service: Scripted, consent: FedConsent, tmp_path: Path) -> AsyncIterator[Door]:
    async with (
        upstream_to("inprocess", service) as upstream,
        a_gateway(tmp_path, everywhere(upstream), consent) as door,
    ):
        yield door


@pytest.mark.parametrize("path", ["/api/v1/factories", "/api/v1/reports/r1", "/api/v1/grants"])
async def test_nobody_is_served_without_a_token(door: Door, service: Scripted, path: str) -> None:
    got = await door.ask("GET", path)
    assert (got.status, got.json()["code"]) == (401, "not_authenticated")
    assert got.headers["www-authenticate"].startswith("Bearer")
    assert service.seen == []


async def test_an_account_without_a_role_is_refused_everything(door: Door, service: Scripted) -> None:
    assert (await door.ask("GET", "/api/v1/factories", "nobody")).status == 403
    assert service.seen == []


async def test_a_refusal_is_a_problem_with_a_trace(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/nowhere", "admin")
    assert got.headers["content-type"] == "application/problem+json"
    assert got.json()["code"] == "not_found"
    assert got.headers["x-content-type-options"] == "nosniff"


async def test_the_document_is_public(door: Door) -> None:
    got = await door.ask("GET", "/api/v1/openapi.json")
    assert (got.status, got.json()) == (200, DOCUMENT)


async def test_the_page_loads_nothing_from_elsewhere(door: Door) -> None:
    got = await door.ask("GET", "/")
    assert got.status == 200
    assert b"<script" not in got.body
    assert b"//" not in got.body.replace(b"<!doctype", b"")
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert "unsafe-inline" not in got.headers["content-security-policy"]


async def test_the_gateway_is_live_and_ready(door: Door) -> None:
    assert (await door.ask("GET", "/health/live")).status == 200

    async def is_ready() -> bool:
        return (await door.ask("GET", "/health/ready")).status == 200

    await eventually(is_ready, saying="the gateway is ready")


async def test_many_who_ask_whether_the_gateway_is_ready_have_each_service_asked_once(
    consent: FedConsent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "KNOWN_FOR_S", 60.0)
    asked: list[str] = []

    async def service(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await Scripted()(scope, receive, send)

    async with a_gateway(tmp_path, everywhere(InProcessUpstream(service)), consent) as door:
        await consent.heard()
        at_once = await asyncio.gather(*(door.ask("GET", "/health/ready") for _ in range(20)))
        after = await door.ask("HEAD", "/health/ready")
        assert {got.status for got in (*at_once, after)} == {200}
        assert asked == ["/health/ready"] * 5


async def test_readiness_names_what_is_missing(door: Door, consent: FedConsent) -> None:
    await door.no_lease(consent)
    got = await door.ask("GET", "/health/ready")
    assert got.status == 503
    assert got.json()["failing"].keys() == {"consent"}


async def test_the_development_issuer_publishes_its_key(door: Door) -> None:
    found = (await door.ask("GET", "/dev/.well-known/openid-configuration")).json()
    assert found["jwks_uri"] == f"{found['issuer']}/jwks"
    key = jwt.PyJWKSet.from_dict((await door.ask("GET", "/dev/jwks")).json()).keys[0]
    claims = jwt.decode(await door.token("buyer"), key, algorithms=["EdDSA"], audience="star")
    assert (claims["star_roles"], claims["star_party"]) == (["buyer"], "b1")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"user": 1}', b"[]", b'{"user": "' + b"x" * 5000 + b'"}'])
async def test_a_malformed_request_for_a_token_is_refused(door: Door, body: bytes) -> None:
    assert (await door.ask("POST", "/dev/token", data=body)).status == 400


async def test_there_is_no_token_for_a_stranger(door: Door) -> None:
    assert (await door.ask("POST", "/dev/token", json={"user": "stranger"})).status == 404


async def test_tokens_survive_a_restart(door: Door, tmp_path: Path) -> None:
    token = await door.token("admin")
    async with (
        upstream_to("inprocess", Scripted()) as upstream,
        a_gateway(tmp_path, everywhere(upstream), FedConsent()) as again,
    ):
        again.tokens["admin"] = token
        assert (await again.ask("GET", "/api/v1/factories", "admin")).status == 200


def test_the_development_issuer_is_refused_when_deployed(tmp_path: Path) -> None:
    settings = gateway_settings(tmp_path, environment=Environment.DEPLOYED)
    with pytest.raises(InvalidSettings, match="development issuer"):
        make_gateway(settings, {}, FedConsent(), dev_users=USERS, document=DOCUMENT)
    assert not list(tmp_path.iterdir())


def test_a_gateway_needs_an_issuer_and_a_key(tmp_path: Path) -> None:
    settings = gateway_settings(tmp_path)
    with pytest.raises(InvalidSettings, match="STAR_OIDC_ISSUER"):
        make_gateway(settings, {}, FedConsent(), document=DOCUMENT)
    with pytest.raises(InvalidSettings, match="STAR_SIGNING_KEY"):
        make_gateway(
            msgspec.structs.replace(settings, signing_key=""), {}, FedConsent(), dev_users=USERS, document=DOCUMENT
        )


async def test_no_token_reaches_the_logs(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = await door.token("admin")
    await door.ask("GET", "/api/v1/factories", "admin")
    await door.ask("GET", "/api/v1/factories", headers={"authorization": f"Bearer {token}x"})
    assert caplog.text, "nothing was logged, so nothing was tried"
    assert token.rpartition(".")[2] not in caplog.text
