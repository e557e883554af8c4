"""Freezing: what a snapshot holds, and that its bytes are canonical."""

from datetime import UTC, date, datetime

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contracts.assessment import ChoiceV1, FactV1, QuestionV1, VisitScope
from contracts.reporting import ReportFrozenV1, ReportReleasedV1
from contracts.vocabulary import AnswerType, QuestionKind
from services.reporting.domain.freezing import take
from services.reporting.domain.report import NEXT, Report, ReportCannotMove, Stage
from services.reporting.domain.snapshot import Snapshot, canonical, fingerprint
from tests.reporting.builders import LAW, NC, a_card, a_questionnaire, a_visit

NOW = datetime(2026, 3, 20, 22, 30, tzinfo=UTC)


def a_snapshot(**changes: str) -> Snapshot:
    return take("r1", a_visit(), a_questionnaire(), a_card(**changes))


def a_report() -> Report:
    content = canonical(a_snapshot())
    sha256 = fingerprint(content)
    return Report.of(a_snapshot(), a_card(), country="JO", sha256=sha256, size=len(content), now=NOW)[0]


def test_the_bytes_are_those_of_rfc_8785() -> None:
    content = canonical(a_snapshot(name='Ünï "quoted" \\ \x00\x1f\x7f\u2028 \U0001f600 \u202e'))
    assert content == rfc8785.dumps(msgspec.json.decode(content))


@given(st.text(), st.dictionaries(st.text(st.characters(max_codepoint=0x7F)), st.text()), st.integers())
def test_any_text_and_number_is_written_as_rfc_8785_says(name: str, texts: dict[str, str], number: int) -> None:
    fact = FactV1(question_id="x", section="systems", answer_type=AnswerType.INTEGER, value=number)
    people = FactV1(question_id="y", section="systems", answer_type=AnswerType.BY_SEX, value={"women": number})
    questionnaire = msgspec.structs.replace(a_questionnaire(), titles=texts)
    content = canonical(take("r1", a_visit(facts=[fact, people]), questionnaire, a_card(name=name)))
    assert content == rfc8785.dumps(msgspec.json.decode(content))


def test_the_same_visit_has_the_same_fingerprint_and_another_factory_name_another() -> None:
    assert fingerprint(canonical(a_snapshot())) == fingerprint(canonical(a_snapshot()))
    assert fingerprint(canonical(a_snapshot())) != fingerprint(canonical(a_snapshot(name="Another")))


def test_the_fingerprint_of_the_example_never_changes() -> None:
    """Reports of the past must be checkable: a change of this value is a change of the snapshot's format."""
    assert fingerprint(canonical(a_snapshot())) == "467b923fe0c2d111da359c7ef48ddc19f44360e8242a89ae359c9696b75c26ac"


def test_points_and_questions_come_in_the_order_of_vocabulary_and_questionnaire() -> None:
    found = {part.code: [point.code for point in part.points] for part in a_snapshot().clusters}
    assert found == {
        "child_labour": ["child_labourers"],
        "discrimination": ["gender"],
        "osh": ["worker_accommodation", "emergency_preparedness"],
    }
    assert [item.question_id for item in a_snapshot().clusters[0].points[0].items] == [
        "child_labourers_01",
        "child_labourers_02",
    ]


def test_a_rate_travels_with_its_counts_and_its_formula() -> None:
    rate = a_snapshot().rate
    assert (rate.numerator, rate.denominator, rate.excluded, rate.rate) == (2, 3, 1, "0.6667")
    assert rate.formula_version == "star-rates-1"


def test_legal_references_are_numbered_once_in_order_of_first_use() -> None:
    snapshot = a_snapshot()
    assert [(row.number, row.texts["en"]) for row in snapshot.references] == [
        (1, LAW),
        (2, "ILO C138, art. 2"),
        (3, "Instructions of 1998, art. 12"),
    ]
    items = {item.question_id: item for part in snapshot.clusters for point in part.points for item in point.items}
    assert items["child_labourers_02"].references == (2,)
    assert items["emergency_preparedness_01"].references == (3, 1)


def test_public_issues_are_marked() -> None:
    items = [item for part in a_snapshot().clusters for point in part.points for item in point.items]
    assert [item.question_id for item in items if item.is_public] == ["emergency_preparedness_01"]


def test_facts_keep_the_order_of_the_questionnaire() -> None:
    assert [fact.question_id for fact in a_snapshot().facts] == [
        "supplier_information_01",
        "supplier_information_02",
        "systems_01",
    ]


def test_the_owner_group_is_not_in_the_snapshot() -> None:
    assert b"Rabea Holding" not in canonical(a_snapshot())


def test_a_finding_on_a_question_that_the_questionnaire_lacks_is_not_lost() -> None:
    snapshot = take("r1", a_visit(outcomes={"strikes_99": NC}), a_questionnaire(), a_card())
    assert snapshot.clusters[0].points[0].items[0].question_id == "strikes_99"


def test_a_short_visit_says_so() -> None:
    assert take("r1", a_visit(scope=VisitScope.SHORT), a_questionnaire(), a_card()).scope is VisitScope.SHORT


def test_a_frozen_report_announces_its_fingerprint() -> None:
    report, events = Report.of(a_snapshot(), a_card(), country="JO", sha256="abc", size=3, now=NOW)
    assert report.stage is Stage.FROZEN
    assert [(type(event), event.snapshot_sha256) for event in events] == [(ReportFrozenV1, "abc")]


def test_key_results_count_findings_and_public_issues() -> None:
    results = a_report().key_results
    assert (results.findings, results.public_findings) == (2, 1)
    assert {part.cluster: part.rate.rate for part in results.clusters} == {
        "child_labour": "1.0000",
        "discrimination": "0.0000",
        "osh": "1.0000",
    }


def test_releasing_tells_when_and_by_whom() -> None:
    released, events = a_report().release(by="leader", now=NOW, today=date(2026, 3, 21))
    assert (released.stage, released.released_by, released.released_on) == (Stage.RELEASED, "leader", "2026-03-21")
    assert [(type(event), event.released_on) for event in events] == [(ReportReleasedV1, "2026-03-21")]


def test_releasing_again_changes_and_announces_nothing() -> None:
    released, _ = a_report().release(by="leader", now=NOW, today=date(2026, 3, 21))
    assert released.release(by="other", now=NOW, today=date(2026, 5, 1)) == (released, ())


@pytest.mark.parametrize("start", Stage)
@pytest.mark.parametrize("end", Stage)
def test_only_the_moves_of_the_table_are_possible(start: Stage, end: Stage) -> None:
    report = msgspec.structs.replace(a_report(), stage=start)
    if end in NEXT[start]:
        assert report._moved_to(end).stage is end
    else:
        with pytest.raises(ReportCannotMove):
            report._moved_to(end)


def test_a_choice_keeps_its_labels_and_a_reference_its_languages() -> None:
    questionnaire = a_questionnaire()
    cited = {"en": "Law 8, art. 73; ILO C138", "ar": "القانون 8، المادة 73؛ الاتفاقية 138"}
    fact = QuestionV1(
        id="systems_09",
        global_id="G-systems-09",
        kind=QuestionKind.FACT,
        cluster="systems",
        compliance_point=None,
        answer_type=AnswerType.CHOICES,
        texts={"en": "Products"},
        choices=(
            ChoiceV1(name="shirts", labels={"en": "Shirts", "ar": "قمصان"}),
            ChoiceV1(name="suits", labels={"en": "Suits", "ar": "بدلات"}),
        ),
    )
    cited_anew = (msgspec.structs.replace(question, legal_references=cited) for question in questionnaire.questions)
    questions = (*cited_anew, fact)
    chosen = FactV1(question_id=fact.id, section="systems", answer_type=AnswerType.CHOICES, value=("suits", "odd"))
    visit = msgspec.structs.replace(a_visit(), facts=(chosen,))
    snapshot = take("r1", visit, msgspec.structs.replace(questionnaire, questions=questions), a_card())
    assert snapshot.facts[0].labels == ({"en": "Suits", "ar": "بدلات"},)
    assert {"en": "ILO C138", "ar": "الاتفاقية 138"} in [reference.texts for reference in snapshot.references]
