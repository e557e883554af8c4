"""Reading a workbook: the form it holds, and every fault at once with its place."""

import pytest

from contracts.vocabulary import AnswerType, Polarity
from services.assessment.domain.questionnaire import Condition, Limits
from services.assessment.domain.sheets import WorkbookFaulty
from services.assessment.domain.xlsform import form_of
from tests.assessment.samples import Row, a_fact, a_rated, a_row, sheets, the_survey

FORM = form_of(sheets(), country="JO")
BY_ID = {question.id: question for question in FORM.questions}


def faults_of(survey: list[Row] | None = None, **settings: str) -> list[str]:
    with pytest.raises(WorkbookFaulty) as refused:
        form_of(sheets(survey, **settings), country="JO")
    return str(refused.value).splitlines()


def in_a_point(*rows: Row) -> list[Row]:
    return [
        a_row("begin_group", "osh"),
        a_row("begin_group", "emergency_preparedness"),
        a_rated("exits_open"),
        *rows,
        a_row("end_group", ""),
        a_row("end_group", ""),
    ]


def in_a_section(*rows: Row) -> list[Row]:
    return [a_row("begin_group", "supplier_information"), *rows, a_row("end_group", ""), *in_a_point()]


def test_the_form_has_a_question_of_every_type() -> None:
    assert {question.answer_type for question in FORM.questions} == set(AnswerType)


def test_a_table_by_sex_is_one_question() -> None:
    assert "apprentices" in BY_ID
    assert "apprentices_women" not in BY_ID


def test_texts_are_kept_in_every_language() -> None:
    assert BY_ID["beds"].finding_texts == {
        "en": "beds is not as it should be.",
        "fr": "beds n'est pas conforme.",
    }
    assert FORM.titles == {"en": "Garment CAT", "fr": "Outil"}


def test_the_place_of_a_question_is_its_cluster_and_compliance_point() -> None:
    assert (BY_ID["beds"].cluster, BY_ID["beds"].compliance_point) == ("osh", "worker_accommodation")
    assert (BY_ID["workers"].cluster, BY_ID["workers"].compliance_point) == ("supplier_information", None)


def test_rules_of_a_question_are_data() -> None:
    assert BY_ID["workers"].limits == Limits(minimum="0", maximum="100000")
    assert BY_ID["opened_on"].limits == Limits(not_after_today=True)
    assert BY_ID["beds"].asked_when == Condition(question_id="dormitory", needs="yes")
    assert BY_ID["crowded"].asked_when == Condition(question_id="workers", needs="above_zero")
    assert BY_ID["crowded"].polarity is Polarity.YES_IS_NON_COMPLIANT


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (a_rated("exits_open"), "the name exits_open is there twice"),
        (a_rated("a.b"), '"a.b" is not a name'),
        (a_rated("x", star_polarity=""), "no star_polarity"),
        (a_rated("x", star_polarity="maybe"), 'star_polarity is "maybe"'),
        (a_rated("x", star_basis=""), "no star_basis"),
        (a_rated("x", star_basis="ilo"), "no star_legal_reference, though the basis is ilo"),
        (
            a_rated("x", star_basis="ilo", star_legal_reference="C138"),
            "no star_legal_reference_fr",
        ),
        (a_rated("x", star_global_id=""), "no star_global_id"),
        (a_rated("x", **{"label::Français (fr)": ""}), "no label in Français (fr)"),
        (a_rated("x", **{"star_finding::English (en)": ""}), "no star_finding in English (en)"),
        (a_rated("x", type="select_one yes_no_na"), "must offer yes, no, as star_not_applicable says"),
        (a_rated("x", type="select_one nowhere"), "the sheet choices has no list nowhere"),
        (a_rated("x", relevant="${dormitory} = 'yes'"), "not always asked says star_not_applicable"),
        (
            a_rated("x", star_not_applicable="yes", relevant="${nothing} = 'yes'"),
            "relevant speaks of no yes_no fact",
        ),
        (a_rated("x", star_not_applicable="yes", relevant="1 = 1"), 'relevant "1 = 1" is not understood'),
        (a_rated("x", star_kind="opinion"), 'star_kind is "opinion"'),
        (a_rated("x", star_answer_type="number"), 'star_answer_type is "number"'),
        (a_rated("x", required="maybe"), 'required is "maybe"'),
        (a_row("text", "x"), "a question needs a star_kind"),
        (a_row("begin_group", "osh_x"), "osh_x is not the code of a compliance point"),
    ],
)
def test_a_faulty_row_is_refused_with_its_place(row: Row, fault: str) -> None:
    row = {**row, **({"type": row["type"]} if "type" in row else {})}
    found = faults_of(in_a_point(row))
    assert any(line.startswith("survey row 5: ") and fault in line for line in found), found


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (a_fact("text", "x", "text", star_polarity="no_is_non_compliant"), "a fact has no star_polarity"),
        (a_fact("text", "x", "integer"), "the type of a integer is integer"),
        (a_fact("decimal", "x", "money"), "star_currency belongs on every money fact"),
        (a_fact("decimal", "x", "money", star_currency="dinar"), "no ISO 4217 currency"),
        (a_fact("integer", "x", "integer", constraint=". > 5"), "the constraint"),
        (a_fact("select_one sizes", "x", "choices"), "select_multiple"),
        (a_rated("x"), "stands in the group of a compliance point"),
    ],
)
def test_a_faulty_fact_is_refused_with_its_place(row: Row, fault: str) -> None:
    found = faults_of(in_a_section(row))
    assert any(line.startswith("survey row 3: ") and fault in line for line in found), found


def test_an_unknown_cluster_is_refused() -> None:
    survey = [a_row("begin_group", "kindness"), a_row("end_group", ""), *in_a_point()]
    assert "survey row 2: kindness is not the code of a cluster or section" in faults_of(survey)


def test_a_group_that_is_not_ended_is_refused() -> None:
    assert any("is not ended" in line for line in faults_of(in_a_point()[:-1]))


def test_a_table_by_sex_needs_its_two_rows() -> None:
    table = [
        a_fact("begin_group", "t", "by_sex"),
        a_row("integer", "t_women"),
        a_row("end_group", "t"),
    ]
    assert any("t_women and t_men" in line for line in faults_of(in_a_section(*table)))


def test_another_countrys_form_is_refused() -> None:
    assert faults_of(star_country="VN") == ['settings row 2: star_country is "VN"; this programme is JO']


def test_all_faults_are_told_at_once() -> None:
    survey = in_a_point(a_rated("x", star_polarity=""), a_rated("y", star_global_id=""))
    assert len(faults_of(survey, form_id="", star_country="VN")) == 4


def test_a_missing_sheet_is_a_fault() -> None:
    content = sheets()
    del content["settings"]
    with pytest.raises(WorkbookFaulty, match="settings row 1: the sheet is missing or empty"):
        form_of(content, country="JO")


def test_a_form_without_a_rated_question_is_refused() -> None:
    survey = the_survey()[:15]
    assert faults_of(survey) == ["survey row 1: the form has no rated question"]
