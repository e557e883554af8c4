"""The service as a whole: what it does with events, whoever sends them twice, late or in the wrong order."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from contracts.access import FactoryChangedV1
from contracts.assessment import VisitScope
from contracts.events import Event
from contracts.identifiers import derived_id
from contracts.identity import Role
from contracts.reporting import ReportFrozenV1
from services.reporting.app import make_service
from services.runtime.bus import Ack, Park, Retry
from tests.reporting.builders import NC, OK, a_questionnaire, a_registration, a_visit
from tests.support.services import Running, a_principal, running_service

LEADER = a_principal(Role.TEAM_LEADER)
REPORT = derived_id("report", "v1")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(make_service, tmp_path) as service:
        yield service


async def prepared(running: Running) -> None:
    assert await running.deliver(a_registration(), subject="f1") == Ack()
    assert await running.deliver(a_questionnaire(), subject="q1") == Ack()


async def figures(running: Running, **query: object) -> dict[str, object]:
    answer = await running.get("/api/v1/aggregates/compliance-points", LEADER, params=query)
    points = {item["compliance_point"]: item for item in answer.json()["items"]}
    return {code: (item["numerator"], item["denominator"], item["excluded"]) for code, item in points.items() if code}


async def test_a_closed_visit_freezes_a_report_and_announces_it(running: Running) -> None:
    await prepared(running)
    assert await running.deliver(a_visit(), subject="v1") == Ack()
    (event,) = await running.until_announced(ReportFrozenV1)
    found = (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).json()
    assert (event.report_id, event.snapshot_sha256) == (REPORT, found["snapshot_sha256"])


async def test_the_same_visit_delivered_again_makes_no_second_report(running: Running) -> None:
    await prepared(running)
    for _ in range(3):
        assert await running.deliver(a_visit(), subject="v1") == Ack()
    await running.until_announced(ReportFrozenV1)
    await running.service.relay.stop()
    await running.service.relay.start()
    listed = (await running.get("/api/v1/reports", LEADER)).json()
    assert [item["id"] for item in listed["items"]] == [REPORT]
    assert len(running.announced(ReportFrozenV1)) == 1


@pytest.mark.parametrize("missing", ["factory", "questionnaire"])
async def test_a_visit_waits_for_its_factory_and_its_questionnaire(running: Running, missing: str) -> None:
    events: list[Event] = [a_questionnaire(), a_registration()]
    first, second = events if missing == "factory" else reversed(events)
    await running.deliver(first, subject="x")
    assert isinstance(await running.deliver(a_visit(), subject="v1"), Retry)
    assert (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).status_code == 404
    await running.deliver(second, subject="y")
    assert await running.deliver(a_visit(), subject="v1") == Ack()
    assert (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).status_code == 200


async def test_a_report_does_not_change_with_the_factory_card(running: Running) -> None:
    await prepared(running)
    await running.deliver(a_visit(), subject="v1")
    await running.deliver(a_registration(name="Renamed"), subject="f1", sequence=2)
    await running.deliver(a_visit(), subject="v1", sequence=2)
    found = (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).json()
    assert found["snapshot"]["factory"]["name"] == "Al-Rabea Garments"


async def test_an_older_card_that_arrives_late_does_not_replace_the_newer(running: Running) -> None:
    await running.deliver(a_questionnaire(), subject="q1")
    await running.deliver(a_registration(name="Newer"), subject="f1", sequence=2)
    await running.deliver(a_registration(name="Older"), subject="f1", sequence=1)
    await running.deliver(a_visit(), subject="v1")
    found = (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).json()
    assert found["factory_name"] == "Newer"


async def test_a_factory_that_was_renamed_is_named_so_in_the_next_report(running: Running) -> None:
    await running.deliver(a_questionnaire(), subject="q1")
    await running.deliver(a_registration(), subject="f1", sequence=1)
    renamed = FactoryChangedV1(**{**msgspec.structs.asdict(a_registration()), "name": "Petra"}, status="obsolete")
    for sequence in (2, 1):
        await running.deliver(renamed if sequence == 2 else a_registration(), subject="f1", sequence=sequence)
    await running.deliver(a_visit(), subject="v1")
    found = (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).json()
    assert found["factory_name"] == "Petra"


async def test_a_second_questionnaire_under_the_same_id_never_replaces_the_first(running: Running) -> None:
    await prepared(running)
    other = msgspec.structs.replace(a_questionnaire(), version="9")
    verdict = await running.deliver(other, subject="q1", sequence=2)
    assert isinstance(verdict, Retry | Park)
    await running.deliver(a_visit(), subject="v1")
    found = (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).json()
    assert found["questionnaire_version"] == "2026.1"


async def test_the_latest_visit_of_a_cycle_counts_in_whatever_order_they_arrive(running: Running) -> None:
    await prepared(running)
    late = a_visit("v2", on="2026-05-01", outcomes={"gender_01": NC})
    early = a_visit("v1", on="2026-02-01", outcomes={"gender_01": OK})
    for visit in (late, early, late):
        assert await running.deliver(visit, subject=visit.visit_id) == Ack()
    assert await figures(running, cycle=1) == {"gender": (1, 1, 0)}


async def test_a_short_visit_never_counts(running: Running) -> None:
    await prepared(running)
    await running.deliver(a_registration("f2"), subject="f2")
    full = a_visit("v1", outcomes={"gender_01": OK})
    short = a_visit("v2", on="2026-09-01", scope=VisitScope.SHORT, outcomes={"gender_01": NC})
    alone = a_visit("v3", "f2", scope=VisitScope.SHORT, outcomes={"gender_01": NC})
    for visit in (full, short, alone):
        await running.deliver(visit, subject=visit.visit_id)
    assert await figures(running, cycle=1) == {"gender": (0, 1, 1)}


async def test_staff_who_name_no_cycle_get_the_latest_visit_of_each_factory(running: Running) -> None:
    await prepared(running)
    await running.deliver(a_visit("v1", cycle=1, on="2025-02-01", outcomes={"gender_01": NC}), subject="v1")
    await running.deliver(a_visit("v2", cycle=2, on="2026-02-01", outcomes={"gender_01": OK}), subject="v2")
    assert await figures(running) == {"gender": (0, 1, 0)}
    assert await figures(running, cycle=1) == {"gender": (1, 1, 0)}
    assert await figures(running, cycle=2, industry="C13") == {}


async def test_a_disk_that_refuses_the_snapshot_loses_nothing(running: Running, tmp_path: Path) -> None:
    await prepared(running)
    folder = tmp_path / "files"
    folder.rename(tmp_path / "away")
    folder.write_text("no folder")
    assert isinstance(await running.deliver(a_visit(), subject="v1"), Retry)
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert await running.deliver(a_visit(), subject="v1") == Ack()
    assert (await running.get(f"/api/v1/reports/{REPORT}", LEADER)).status_code == 200


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running_service(make_service, tmp_path) as before:
        await prepared(before)
        await before.deliver(a_visit(), subject="v1")
        frozen = (await before.get(f"/api/v1/reports/{REPORT}", LEADER)).content
        printed = (await before.get(f"/api/v1/reports/{REPORT}/file", LEADER)).content
    async with running_service(make_service, tmp_path) as after:
        assert (await after.get(f"/api/v1/reports/{REPORT}", LEADER)).content == frozen
        assert (await after.get(f"/api/v1/reports/{REPORT}/file", LEADER)).content == printed
        await after.deliver(a_visit("v2"), subject="v2")
        assert len((await after.get("/api/v1/reports", LEADER)).json()["items"]) == 2
