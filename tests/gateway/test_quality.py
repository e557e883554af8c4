"""Quality and productivity are shared by a consent of their own: no other grant shows them, and a revoke hides them."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from contracts.vocabulary import ReportKind
from tests.gateway.feed import FedConsent
from tests.gateway.running import Door, Scripted, a_following_gateway

ASSESSMENT, QUALITY = ReportKind.ASSESSMENT, ReportKind.QUALITY_PRODUCTIVITY
COMPLIANCE = tuple(kind for kind in ReportKind if kind is not QUALITY)
JSON = (b"content-type", b"application/json")


@pytest.fixture
def consent() -> FedConsent:
    """A partner to whom a factory granted everything but its quality and productivity."""
    fed = FedConsent()
    fed.give("compliance", "f1", "b1", *COMPLIANCE)
    return fed


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture(params=["inprocess", "http"])
async def door(
    request: pytest.FixtureRequest, service: Scripted, consent: FedConsent, tmp_path: Path
) -> AsyncIterator[Door]:
    async with a_following_gateway(request.param, service, consent, tmp_path) as door:
        yield door


async def read(door: Door, service: Scripted, kind: ReportKind) -> int:
    """The status of a report of one kind, which is also a list's item."""
    service.headers = [JSON, (b"star-factory", b"f1"), (b"star-kind", kind.encode()), (b"star-cycle", b"1")]
    service.body = b"{}"
    return (await door.ask("GET", "/api/v1/reports/r1", "buyer")).status


async def listed(door: Door, service: Scripted, kind: ReportKind) -> int:
    item = {"id": "r1", "factory_id": "f1", "cycle": 1, "kind": kind}
    service.headers, service.body = [JSON], msgspec.json.encode({"items": [item], "next_cursor": None})
    return (await door.ask("GET", "/api/v1/reports", "buyer")).status


async def test_a_grant_of_compliance_does_not_show_quality_and_productivity(door: Door, service: Scripted) -> None:
    assert [await read(door, service, kind) for kind in COMPLIANCE] == [200] * len(COMPLIANCE)
    assert await read(door, service, QUALITY) == 404
    assert (await listed(door, service, ASSESSMENT), await listed(door, service, QUALITY)) == (200, 503)


async def test_a_grant_of_their_own_shows_them_until_it_is_revoked(
    door: Door, service: Scripted, consent: FedConsent
) -> None:
    consent.give("quality", "f1", "b1", QUALITY)
    await consent.heard()
    assert (await read(door, service, QUALITY), await listed(door, service, QUALITY)) == (200, 200)
    consent.revoke("quality", "f1")
    await consent.heard()
    assert (await read(door, service, QUALITY), await read(door, service, ASSESSMENT)) == (404, 200)


async def test_they_stay_when_compliance_is_revoked(door: Door, service: Scripted, consent: FedConsent) -> None:
    consent.give("quality", "f1", "b1", QUALITY)
    consent.revoke("compliance", "f1")
    await consent.heard()
    assert (await read(door, service, QUALITY), await read(door, service, ASSESSMENT)) == (200, 404)
