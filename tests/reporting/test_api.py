"""Who reads which report, in which form; and what the figures tell to whom."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import rfc8785

from contracts.identifiers import derived_id
from contracts.identity import Principal, Role
from contracts.reporting import ReportReleasedV1
from contracts.vocabulary import ReportKind
from services.reporting import queries
from services.reporting.app import make_service
from tests.reporting.builders import NC, OK, a_questionnaire, a_registration, a_visit
from tests.support.services import Running, a_principal, running_service

REPORT = derived_id("report", "v1")
ONE = f"/api/v1/reports/{REPORT}"
FIGURES = "/api/v1/aggregates/compliance-points"
STAFF = [a_principal(role) for role in (Role.ADMINISTRATOR, Role.ADVISOR, Role.TEAM_LEADER)]
LEADER = STAFF[2]
FACTORY = a_principal(Role.FACTORY, party_id="f1")
BUYER = a_principal(Role.BUYER, party_id="b1", shares={ReportKind.ASSESSMENT: frozenset({"f1"})})
PLAN_BUYER = a_principal(Role.BUYER, party_id="b2", shares={ReportKind.IMPROVEMENT_PLAN: frozenset({"f1"})})
STRANGERS = {
    "another factory": a_principal(Role.FACTORY, party_id="f2"),
    "a factory user of no factory": a_principal(Role.FACTORY),
    "a buyer without a grant": a_principal(Role.BUYER, party_id="b3"),
    "a buyer with a grant of plans": PLAN_BUYER,
    "a buyer of another factory": a_principal(
        Role.BUYER, party_id="b4", shares={ReportKind.ASSESSMENT: frozenset({"f2"})}
    ),
    "an analyst": a_principal(Role.ANALYST),
    "a gateway": a_principal(Role.GATEWAY),
    "nobody": a_principal(),
}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_service(make_service, tmp_path) as service:
        await service.deliver(a_registration(), subject="f1")
        await service.deliver(a_questionnaire(), subject="q1")
        await service.deliver(a_visit(), subject="v1")
        yield service


async def release(running: Running) -> None:
    assert (await running.post(f"{ONE}/release", LEADER)).status_code == 200


async def listed(running: Running, caller: Principal, **query: object) -> list[str]:
    answer = await running.get("/api/v1/reports", caller, params=query)
    return [item["id"] for item in answer.json()["items"]] if answer.status_code == 200 else []


@pytest.mark.parametrize("caller", STAFF, ids=lambda caller: next(iter(caller.roles)))
async def test_staff_read_a_report_before_its_release(running: Running, caller: Principal) -> None:
    assert (await running.get(ONE, caller)).status_code == 200
    assert (await running.get(f"{ONE}/file", caller)).status_code == 200
    assert await listed(running, caller) == [REPORT]


@pytest.mark.parametrize("caller", [FACTORY, BUYER], ids=["factory", "buyer"])
async def test_factory_and_buyer_read_a_report_only_after_its_release(running: Running, caller: Principal) -> None:
    for path in (ONE, f"{ONE}/file"):
        assert (await running.get(path, caller)).status_code == 404
    assert await listed(running, caller) == []
    await release(running)
    for path in (ONE, f"{ONE}/file"):
        assert (await running.get(path, caller)).status_code == 200
    assert await listed(running, caller) == [REPORT]


@pytest.mark.parametrize("caller", STRANGERS.values(), ids=STRANGERS.keys())
async def test_everyone_else_never_learns_that_there_is_a_report(running: Running, caller: Principal) -> None:
    await release(running)
    for path in (ONE, f"{ONE}/file"):
        assert (await running.get(path, caller)).status_code == 404
    assert (await running.post(f"{ONE}/release", caller)).status_code == 404
    assert await listed(running, caller) == []
    assert await listed(running, caller, factory_id="f1") == []


async def test_staff_of_another_country_see_nothing(running: Running) -> None:
    stranger = Principal(subject="x", name="X", roles=frozenset({Role.ADMINISTRATOR}), country="HT")
    assert (await running.get(ONE, stranger)).status_code == 404
    assert await listed(running, stranger) == []


async def test_without_a_token_there_is_no_answer(running: Running) -> None:
    for path in (ONE, f"{ONE}/file", "/api/v1/reports", FIGURES):
        assert (await running.http.get(path)).status_code == 401


async def test_only_leaders_and_administrators_release(running: Running) -> None:
    for caller in (STAFF[1], FACTORY, BUYER):
        assert (await running.post(f"{ONE}/release", caller)).status_code == 404
    assert (await running.post(f"{ONE}/release", STAFF[0])).json()["stage"] == "released"


async def test_a_release_is_announced_once_and_repeated_without_harm(running: Running) -> None:
    first = (await running.post(f"{ONE}/release", LEADER)).json()
    again = (await running.post(f"{ONE}/release", LEADER)).json()
    assert first == again
    (event,) = await running.until_announced(ReportReleasedV1)
    assert (event.report_id, event.factory_id, event.released_on) == (REPORT, "f1", first["released_on"])
    await running.post(f"{ONE}/release", STAFF[0])
    assert len(running.announced(ReportReleasedV1)) == 1


async def test_who_released_is_not_told_to_readers(running: Running) -> None:
    await release(running)
    assert b"released_by" not in (await running.get(ONE, BUYER)).content


async def test_a_report_carries_its_frozen_snapshot_and_its_fingerprint(running: Running) -> None:
    found = (await running.get(ONE, LEADER)).json()
    assert found["id"] == found["snapshot"]["report_id"] == REPORT
    assert hashlib.sha256(rfc8785.dumps(found["snapshot"])).hexdigest() == found["snapshot_sha256"]
    assert found["languages"] == ["en", "ar"]


@pytest.mark.parametrize("path", [ONE, f"{ONE}/file?lang=ar"])
async def test_single_reports_name_factory_and_kind_for_the_gateway(running: Running, path: str) -> None:
    answer = await running.get(path, LEADER)
    known = await running.http.get(
        path,
        headers={"authorization": answer.request.headers["authorization"], "if-none-match": answer.headers["etag"]},
    )
    assert (answer.status_code, known.status_code, known.content) == (200, 304, b"")
    for headers in (answer.headers, known.headers):
        assert (headers["star-factory"], headers["star-kind"]) == ("f1", "assessment")
        assert headers["cache-control"] == "private, no-cache"


async def test_a_release_gives_both_forms_a_new_entity_tag(running: Running) -> None:
    before = [(await running.get(path, LEADER)).headers["etag"] for path in (ONE, f"{ONE}/file")]
    await release(running)
    after = [(await running.get(path, LEADER)).headers["etag"] for path in (ONE, f"{ONE}/file")]
    assert len({*before, *after}) == 4


async def test_a_copy_of_before_an_upgrade_that_changed_the_form_is_not_confirmed(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = (await running.get(ONE, LEADER)).request.headers["authorization"]
    with monkeypatch.context() as before:
        before.setattr(queries, "VIEW", "that-of-the-last-release")
        tag = (await running.get(ONE, LEADER)).headers["etag"]
        known = {"authorization": asking, "if-none-match": tag}
        assert (await running.http.get(ONE, headers=known)).status_code == 304
    answer = await running.http.get(ONE, headers=known)
    assert (answer.status_code, answer.headers["etag"] == tag) == (200, False)


async def test_the_file_is_a_pdf_in_the_language_asked_for(running: Running) -> None:
    for language in ("en", "ar"):
        answer = await running.get(f"{ONE}/file", LEADER, params={"lang": language})
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-language"] == language
        assert answer.headers["content-disposition"] == f'inline; filename="report-{REPORT}-{language}.pdf"'
        assert answer.content.startswith(b"%PDF")


@pytest.mark.parametrize("language", ["fr", "", "../en", "en\r\nset-cookie: x=1"])
async def test_another_language_is_refused_by_name(running: Running, language: str) -> None:
    answer = await running.get(f"{ONE}/file", LEADER, params={"lang": language})
    assert (answer.status_code, answer.json()["code"]) == (400, "language_not_available")
    assert "en, ar" in answer.json()["detail"]


async def test_a_file_that_was_lost_or_damaged_is_made_again_with_the_same_bytes(
    running: Running, tmp_path: Path
) -> None:
    first = (await running.get(f"{ONE}/file", LEADER)).content
    (stored,) = printed_in(tmp_path)
    stored.write_bytes(stored.read_bytes().replace(b"%PDF", b"%XXX"))
    assert (await running.get(f"{ONE}/file", LEADER)).content == first
    (stored,) = printed_in(tmp_path)
    stored.unlink()
    assert (await running.get(f"{ONE}/file", LEADER)).content == first


def printed_in(folder: Path) -> list[Path]:
    return [path for path in (folder / "files").rglob("*") if path.is_file() and b"%PDF" in path.read_bytes()]


async def test_many_readers_at_once_get_the_same_file(running: Running) -> None:
    answers = await asyncio.gather(*(running.get(f"{ONE}/file", LEADER) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


async def test_a_damaged_snapshot_is_never_shown(running: Running, tmp_path: Path) -> None:
    (stored,) = [
        path for path in (tmp_path / "files").rglob("*") if path.is_file() and b"Al-Rabea" in path.read_bytes()
    ]
    stored.write_bytes(stored.read_bytes().replace(b"Al-Rabea", b"Al-Falsy"))
    answer = await running.get(ONE, LEADER)
    assert answer.status_code == 500
    assert b"Al-Falsy" not in answer.content


async def test_a_snapshot_that_was_replaced_in_the_store_is_never_shown(running: Running) -> None:
    files = running.service.ports.files
    (key,) = [key async for key in files.list("snapshots/")]

    async def forged() -> AsyncIterator[bytes]:
        yield b'{"factory":"Al-Falsy"}'

    await files.put(key, forged(), content_type="application/json", max_bytes=100)
    answer = await running.get(ONE, LEADER)
    assert (answer.status_code, b"Al-Falsy" in answer.content) == (500, False)


async def test_the_list_is_paged_and_filtered(running: Running) -> None:
    await running.deliver(a_registration("f2"), subject="f2")
    for n in range(2, 6):
        visit = a_visit(f"v{n}", "f2", cycle=n % 2, on=f"2026-0{n}-01")
        await running.deliver(visit, subject=visit.visit_id)
    assert await listed(running, LEADER, factory_id="f1") == [REPORT]
    assert len(await listed(running, LEADER, cycle=0)) == 2
    walked: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await running.get("/api/v1/reports", LEADER, params=query)).json()
        walked += [item["visited_on"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert walked == ["2026-05-01", "2026-04-01", "2026-03-01", "2026-02-11", "2026-02-01"]


async def test_a_bad_cursor_and_a_bad_limit_are_refused(running: Running) -> None:
    for query in ({"cursor": "x"}, {"limit": 0}, {"limit": 201}, {"cycle": -1}):
        assert (await running.get("/api/v1/reports", LEADER, params=query)).status_code == 400


async def with_factories(running: Running, n: int) -> None:
    for k in range(n):
        await running.deliver(a_registration(f"g{k}", owner_group=f"owner {k % 4}"), subject=f"g{k}")
        visit = a_visit(f"w{k}", f"g{k}", cycle=7, outcomes={"gender_01": NC if k == 0 else OK})
        await running.deliver(visit, subject=visit.visit_id)


@pytest.mark.parametrize("caller", [FACTORY, BUYER, a_principal(Role.ANALYST)], ids=["factory", "buyer", "analyst"])
async def test_outsiders_get_figures_of_large_groups_only(running: Running, caller: Principal) -> None:
    await with_factories(running, 4)
    items = (await running.get(FIGURES, caller, params={"cycle": 7})).json()["items"]
    assert [(item["numerator"], item["rate"], item["is_suppressed"]) for item in items] == [(None, None, True)] * 2
    await with_factories(running, 5)
    items = (await running.get(FIGURES, caller, params={"cycle": 7})).json()["items"]
    assert [(item["cluster"], item["compliance_point"]) for item in items] == [
        ("discrimination", None),
        ("discrimination", "gender"),
    ]
    for item in items:
        assert (item["numerator"], item["denominator"], item["factories"]) == (1, 5, 5)
        assert (item["excluded"], item["rate"], item["formula_version"]) == (0, "0.2000", "star-rates-1")


async def test_outsiders_who_name_no_cycle_are_told_which_one_they_got(running: Running) -> None:
    await with_factories(running, 5)
    await running.deliver(a_visit("v9", cycle=9), subject="v9")
    assert (await running.get(FIGURES, BUYER)).json()["cycle"] == 7
    assert (await running.get(FIGURES, LEADER)).json()["cycle"] is None


async def test_a_caller_without_a_role_gets_no_figures(running: Running) -> None:
    assert (await running.get(FIGURES, a_principal())).status_code == 403
