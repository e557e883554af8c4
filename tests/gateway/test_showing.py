"""What an answer shows is told by its address; what nobody can tell, and what is not shared, stays here."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.identity import Role
from contracts.permissions import PERMISSIONS
from contracts.reads import Act
from contracts.vocabulary import ReportKind
from gateway.showing import DISCLOSURES, DOCUMENTS, LISTS, OF_NO_FACTORY, PROFILES
from tests.gateway.feed import FedConsent, KeptReads
from tests.gateway.running import DOCUMENT, Door, Scripted, a_following_gateway
from tests.journeys.routes import CALLS

JSON = [(b"content-type", b"application/json")]
TABLES = (DOCUMENTS, LISTS.keys(), PROFILES, DISCLOSURES, OF_NO_FACTORY)
PART_BY_PART = "/api/v1/portfolio"
"""What the gateway puts together from documents and lists, each of which is on record by itself."""

ASKED = frozenset().union(*(PERMISSIONS[role] for role in (Role.BUYER, Role.GROUP, Role.ANALYST, Role.MINISTRY)))
"""What a person may who sees as a buyer or a group, whatever other roles that person has."""

PATHS = (
    *("changes", "plans", "disclosures", "disclosures/{disclosure_id}", "disclosures/{disclosure_id}/receipt"),
    *("factories/{factory_id}/cards", "aggregates/factories", "training/recommendations"),
)
OPEN: dict[str, Any] = {"paths": {**DOCUMENT["paths"], **{f"/api/v1/{path}": {"get": {}} for path in PATHS}}}


@pytest.fixture
def service() -> Scripted:
    return Scripted(headers=JSON)


@pytest.fixture
def kept() -> KeptReads:
    return KeptReads()


@pytest.fixture
async def door(service: Scripted, kept: KeptReads, tmp_path: Path) -> AsyncIterator[Door]:
    """A gateway whose buyer sees all of f1, and the plan of f2."""
    consent = FedConsent()
    consent.give("g1", "f1")
    consent.give("g2", "f2", "b1", ReportKind.IMPROVEMENT_PLAN)
    async with a_following_gateway("inprocess", service, consent, tmp_path, read_sink=kept, document=OPEN) as door:
        yield door


async def answered(door: Door, service: Scripted, path: str, content: object) -> tuple[int, str]:
    """The status, and the code of a refusal."""
    service.body = msgspec.json.encode(content)
    got = await door.ask("GET", f"/api/v1/{path}", "buyer")
    return got.status, got.json().get("code", "") if got.status >= 400 else ""


def an_item(factory_id: str, **more: object) -> dict[str, object]:
    return {"id": "r1", "factory_id": factory_id, "cycle": 3, "kind": "assessment", **more}


def a_page(*items: object) -> dict[str, object]:
    return {"items": items, "next_cursor": None}


@pytest.mark.parametrize("path", sorted({path for (_, path), call in CALLS.items() if call.permission in ASKED}))
def test_of_every_address_that_a_buyer_or_a_group_may_ask_it_is_told_what_it_shows(path: str) -> None:
    template = f"/api/v1{path}"
    assert sum(template in table for table in TABLES) + (template == PART_BY_PART) == 1


@pytest.mark.parametrize("template", sorted(frozenset().union(*TABLES)))
def test_nothing_is_told_of_an_address_that_is_not_there(template: str) -> None:
    assert template.removeprefix("/api/v1") in {path for _, path in CALLS}


@pytest.mark.parametrize("status", [201, 202, 203, 206, 207, 301, 399])
@pytest.mark.parametrize("path", ["reports/r1", "reports/r1/file", "reports"])
async def test_an_answer_with_an_unusual_status_shows_as_much_as_any_other(
    door: Door, service: Scripted, kept: KeptReads, path: str, status: int
) -> None:
    service.status = status
    assert await answered(door, service, path, {"score": 7}) == (503, "read_not_recorded")
    assert kept.reads == []


@pytest.mark.parametrize("path", ["factories/f1/cards", "aggregates/factories"])
async def test_what_stands_below_a_known_address_is_not_known_with_it(door: Door, service: Scripted, path: str) -> None:
    assert await answered(door, service, path, a_page()) == (503, "read_not_recorded")


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("reports", an_item("f9")),
        ("reports", an_item("f2")),
        ("reports", an_item("f2", kind="progress")),
        ("plans", {"id": "p1", "factory_id": "f9", "cycle": 3}),
        ("changes", an_item("f9")),
        ("factories", {"id": "f9"}),
    ],
    ids=["factory", "kind", "progress", "plan", "change", "profile"],
)
async def test_a_list_that_holds_what_is_not_shared_is_not_shown(
    door: Door, service: Scripted, kept: KeptReads, path: str, item: object
) -> None:
    shared = {"factory_id": "f1", "cycle": 3, "kind": "assessment"}
    assert await answered(door, service, path, a_page({"id": "f1", **shared}, item)) == (503, "consent_changed")
    assert kept.reads == []


async def test_what_is_gone_is_told_in_the_feed_of_changes_whoever_s_it_was(door: Door, service: Scripted) -> None:
    gone = an_item("f9", is_withdrawn=True)
    assert await answered(door, service, "changes", a_page(gone)) == (200, "")


async def test_the_profile_of_a_factory_is_on_its_record(door: Door, service: Scripted, kept: KeptReads) -> None:
    assert await answered(door, service, "factories/f2", {"id": "f2", "name": "Sewing"}) == (200, "")
    assert await answered(door, service, "factories", a_page({"id": "f1"}, {"id": "f2"})) == (200, "")
    told = [(read.act, read.factory_id, read.kinds, read.documents, read.grounds) for read in kept.reads]
    assert told == [
        (Act.READ, "f2", (), (), ("g2",)),
        (Act.LISTED, "f1", (), (), ("g1",)),
        (Act.LISTED, "f2", (), (), ("g2",)),
    ]


async def test_the_profile_of_a_factory_that_shares_nothing_is_not_shown(door: Door, service: Scripted) -> None:
    assert await answered(door, service, "factories/f9", {"id": "f9"}) == (404, "not_found")


async def test_what_was_disclosed_is_on_record_when_it_is_told(door: Door, service: Scripted, kept: KeptReads) -> None:
    made = {"id": "d1", "factory_id": "f1", "kinds": ["assessment"], "cycles": [3]}
    receipt = {"record_id": "d1", "factory_id": "f1", "kinds": ["assessment"], "cycles": [3]}
    for path, content in (
        ("disclosures", a_page(made)),
        ("disclosures/d1", made),
        ("disclosures/d1/receipt", receipt),
    ):
        assert await answered(door, service, path, content) == (200, "")
    told = [(read.act, read.factory_id, read.kinds, read.cycles, read.documents) for read in kept.reads]
    about = ("f1", (ReportKind.ASSESSMENT,), (3,), ("d1",))
    assert told == [(Act.LISTED, *about), (Act.READ, *about), (Act.READ, *about)]
