"""Importing and exporting results: every row or its reason, any order, any number of times, without loss."""

import msgspec
import pytest

from contracts.access import FactoryChangedV1
from contracts.assessment import VisitFinalisedV1
from services.assessment.domain.results import COLUMNS
from tests.assessment.importing import a_result, complete, exported, imported, send
from tests.assessment.samples import (
    ADMIN,
    AMAL,
    LEADER,
    begin,
    registered,
    sheets,
    the_wish,
    with_factories,
    with_questionnaire,
    workbook,
)
from tests.support.services import Running, signed


@pytest.fixture
async def ready(running: Running) -> Running:
    """A service that knows two factories and a published questionnaire."""
    await with_factories(running, 2)
    await with_questionnaire(running)
    return running


class TestRows:
    async def test_results_become_finalised_visits_and_are_announced(self, ready: Running) -> None:
        answer = await imported(ready, a_result(), a_result("exits_locked", "0"), a_result("workers", "12"))
        assert (answer["imported"], answer["rejected"], answer["next_line"]) == (3, [], 5)
        assert await complete(ready, answer["id"]) == {"finalised": 1, "remaining": 0, "refused": []}
        (event,) = await ready.until_announced(VisitFinalisedV1)
        assert (event.visit_id, event.factory_id, event.visited_on) == ("1001", "f1", "2025-05-04")
        outcomes = {each.question_id: each.outcome.value for each in event.outcomes}
        assert (outcomes["exits_open"], outcomes["exits_locked"]) == ("non_compliant", "compliant")

    async def test_an_imported_visit_says_why_the_pair_rule_does_not_apply(self, ready: Running) -> None:
        await imported(ready, a_result())
        body = (await ready.get("/api/v1/visits/1001", LEADER)).json()
        assert body["import_reason"].startswith("Imported results")
        assert body["advisors"] == []

    @pytest.mark.parametrize("finding", ["", "NA"])
    async def test_nothing_and_na_are_not_applicable(self, ready: Running, finding: str) -> None:
        answer = await imported(ready, a_result("beds", finding))
        assert answer["imported"] == 1

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (a_result(Country="Jordan"), "this programme is JO"),
            (a_result(**{"Factory id": "OLD-9"}), "is registered"),
            (a_result(Cycle="one"), "not a number from 1 to 999"),
            (a_result(**{"Quest id": "a/b"}), "1 to 64 characters"),
            (a_result(**{"start date": "04/05/2025"}), "not a date"),
            (a_result(**{"start date": "2025-02-30"}), "not a date"),
            (a_result(**{"TQ name": "Footwear"}), "no published questionnaire"),
            (a_result(Cluster="compensation"), "belongs to osh"),
            (a_result(CP="chemicals"), "belongs to emergency_preparedness"),
            (a_result("nothing"), "has no question"),
            (a_result(type="FGW"), "is NCQ"),
            (a_result(finding="2"), "none of 0, 1, NA"),
            (a_result(finding=""), "does not permit"),
            (a_result("workers", "1,200"), "not a whole number"),
            (a_result("workers", ""), "needs a value"),
            (a_result()[:-1], "12 cells; the header has 13"),
        ],
    )
    async def test_a_bad_row_is_rejected_with_line_and_reason(
        self, ready: Running, row: list[str], reason: str
    ) -> None:
        answer = await imported(ready, a_result("exits_locked", "0"), row)
        assert answer["imported"] == 1
        ((rejection,),) = (answer["rejected"],)  # type: ignore[misc]
        assert rejection["line"] == 3  # type: ignore[has-type]
        assert reason in rejection["reason"]  # type: ignore[has-type]

    async def test_conflicting_findings_are_rejected_with_both_lines(self, ready: Running) -> None:
        answer = await imported(ready, a_result(), a_result("workers", "1"), a_result(finding="0"))
        ((rejection,),) = (answer["rejected"],)  # type: ignore[misc]
        assert rejection["line"] == 4  # type: ignore[has-type]
        assert "Line 2" in rejection["reason"]  # type: ignore[has-type]

    async def test_rows_that_describe_one_quest_differently_are_rejected(self, ready: Running) -> None:
        answer = await imported(ready, a_result(), a_result("exits_locked", Cycle="2"))
        assert [each["line"] for each in answer["rejected"]] == [3]  # type: ignore[attr-defined]

    async def test_a_second_quest_at_the_same_place_is_rejected(self, ready: Running) -> None:
        answer = await imported(ready, a_result(), a_result(**{"Quest id": "1002"}))
        assert [each["line"] for each in answer["rejected"]] == [3]  # type: ignore[attr-defined]

    async def test_columns_may_stand_in_another_order(self, ready: Running) -> None:
        order = list(reversed(range(len(COLUMNS))))
        row = [a_result()[n] for n in order]
        import_id = await begin(ready, b"x", [COLUMNS[n].upper() for n in order])
        assert (await send(ready, import_id, [row])).json()["imported"] == 1

    async def test_a_missing_column_is_named(self, ready: Running) -> None:
        body = {"file_sha256": "0" * 64, "header": list(COLUMNS[:-1])}
        answer = await ready.post("/api/v1/imports", ADMIN, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "header_not_understood")
        assert "finding" in answer.json()["detail"]

    @pytest.mark.parametrize("content", [b"\xff\xfe", b'JO,"never ended', b'a"b,"c"d\n'])
    async def test_what_is_no_csv_is_refused_whole(self, ready: Running, content: bytes) -> None:
        import_id = await begin(ready, b"x")
        answer = await ready.post(f"/api/v1/imports/{import_id}/rows?first_line=2", ADMIN, content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "rows_not_readable")

    async def test_an_ambiguous_title_needs_its_version(self, ready: Running) -> None:
        await with_questionnaire(ready, workbook(sheets(version="2")), "q2")
        answer = await imported(ready, a_result(), a_result(**{"TQ name": "Garment CAT (2)"}))
        assert [each["line"] for each in answer["rejected"]] == [2]  # type: ignore[attr-defined]
        assert (await ready.get("/api/v1/visits/1001", LEADER)).json()["questionnaire_id"] == "q2"


class TestRepetition:
    async def test_the_same_rows_again_are_unchanged(self, ready: Running) -> None:
        rows = [a_result(), a_result("products", "shirts"), a_result("beds", "NA")]
        first = await imported(ready, *rows)
        again = (await send(ready, str(first["id"]), rows)).json()
        assert (again["imported"], again["unchanged"], again["rejected"]) == (0, 3, [])
        assert (await ready.get(f"/api/v1/imports/{first['id']}", ADMIN)).json()["imported"] == 3

    async def test_a_finalised_visit_takes_the_same_rows_and_rejects_others(self, ready: Running) -> None:
        first = await imported(ready, a_result())
        await complete(ready, first["id"])
        second = await imported(ready, a_result(), a_result("exits_locked"))
        assert second["unchanged"] == 1
        assert "does not change" in second["rejected"][0]["reason"]  # type: ignore[index]

    async def test_an_interrupted_import_goes_on_at_its_checkpoint(self, ready: Running) -> None:
        content = b"the file"
        import_id = await begin(ready, content)
        assert (await send(ready, import_id, [a_result()])).json()["next_line"] == 3
        assert await begin(ready, content) == import_id
        assert (await ready.get(f"/api/v1/imports/{import_id}", ADMIN)).json()["next_line"] == 3

    async def test_rows_that_skip_others_are_refused(self, ready: Running) -> None:
        import_id = await begin(ready, b"x")
        answer = await send(ready, import_id, [a_result()], first_line=3)
        assert (answer.status_code, answer.json()["code"]) == (409, "rows_missing")

    async def test_a_completed_import_starts_over_because_rejected_rows_may_pass(self, ready: Running) -> None:
        rows = [a_result(), a_result(**{"Factory id": "OLD-3", "Quest id": "1003"})]
        first = await imported(ready, *rows)
        await complete(ready, first["id"])
        await ready.deliver(registered(3), subject="f3", source="JO/access")
        again = await imported(ready, *rows)
        assert (again["imported"], again["unchanged"], again["rejected"]) == (1, 1, [])

    async def test_a_quest_may_be_spread_over_pieces_in_any_order(self, ready: Running) -> None:
        other = {"Factory id": "OLD-2", "Quest id": "1002"}
        import_id = await begin(ready, b"x")
        await send(ready, import_id, [a_result(), a_result(**other)])
        await send(ready, import_id, [a_result("exits_locked"), a_result("exits_locked", **other)], first_line=4)
        conflict = (await send(ready, import_id, [a_result(finding="0")], first_line=6)).json()
        assert "Line 2" in conflict["rejected"][0]["reason"]
        assert (await complete(ready, import_id))["finalised"] == 2

    async def test_a_corrected_file_replaces_what_is_not_finalised(self, ready: Running) -> None:
        await imported(ready, a_result("exits_locked"), a_result())
        corrected = await imported(ready, a_result(finding="0"))
        assert (corrected["imported"], corrected["rejected"]) == (1, [])
        assert (await complete(ready, corrected["id"]))["finalised"] == 1

    async def test_what_advisors_recorded_is_never_overwritten(self, ready: Running) -> None:
        await ready.post("/api/v1/visits", LEADER, the_wish(id="1001", starts_on="2025-05-04"))
        body = {"answers": [{"question_id": "exits_open", "value": "yes"}]}
        await ready.http.put("/api/v1/visits/1001/answers", headers=signed(AMAL), json=body)
        answer = await imported(ready, a_result())
        assert "recorded by its advisors" in answer["rejected"][0]["reason"]  # type: ignore[index]


class TestCompletion:
    async def test_a_visit_without_a_judged_question_is_refused_once(self, ready: Running) -> None:
        answer = await imported(ready, a_result("workers", "12"))
        done = await complete(ready, answer["id"])
        assert (done["finalised"], done["remaining"]) == (0, 0)
        assert [each["visit_id"] for each in done["refused"]] == ["1001"]  # type: ignore[attr-defined]

    async def test_completion_works_in_bounded_steps(self, ready: Running) -> None:
        rows = [a_result(Cycle=str(n), **{"Quest id": f"q{n}"}) for n in range(1, 121)]
        answer = await imported(ready, *rows)
        steps = [await complete(ready, answer["id"]), await complete(ready, answer["id"])]
        assert [(step["finalised"], step["remaining"]) for step in steps] == [(100, 20), (20, 0)]


class TestFactoriesOnTheirWay:
    async def test_an_import_waits_for_a_registration_that_is_on_its_way(self, running: Running) -> None:
        import asyncio  # noqa: PLC0415

        await with_questionnaire(running)
        import_id = await begin(running, b"x")
        sending = asyncio.create_task(send(running, import_id, [a_result()]))
        await asyncio.sleep(0.3)
        await with_factories(running)
        assert (await sending).json()["imported"] == 1

    async def test_the_newest_card_of_a_factory_stays_whatever_order_they_come_in(self, running: Running) -> None:
        facts = {**msgspec.structs.asdict(registered()), "original_id": "NEW-1"}
        await running.deliver(registered(), subject="f1", sequence=1, source="JO/access")
        await running.deliver(FactoryChangedV1(**facts), subject="f1", sequence=2, source="JO/access")
        await running.deliver(registered(), subject="f1", sequence=1, source="JO/access")
        await with_questionnaire(running)
        import_id = await begin(running, b"x")
        answer = (await send(running, import_id, [a_result(**{"Factory id": "NEW-1"})])).json()
        assert answer["imported"] == 1


class TestExport:
    async def test_only_finalised_results_are_written(self, ready: Running) -> None:
        await imported(ready, a_result())
        assert await exported(ready) == [list(COLUMNS)]

    async def test_a_formula_is_written_as_text(self, ready: Running) -> None:
        answer = await imported(ready, a_result(), a_result("products", "'=cmd()"))
        await complete(ready, answer["id"])
        assert "'=cmd()" in [row[-1] for row in await exported(ready)]
        visit = (await ready.get("/api/v1/visits/1001", LEADER)).json()
        assert "=cmd()" in [each["value"] for each in visit["answers"]]
