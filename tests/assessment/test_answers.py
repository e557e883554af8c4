"""What counts as an answer to each type of question."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.answers import AnswerRefused, cell_of, checked, checked_cell
from services.assessment.domain.results import guarded, read_finding, unguarded
from tests.assessment.samples import a_questionnaire

TODAY = date(2026, 3, 2)
QUESTIONS = a_questionnaire().by_id


@pytest.mark.parametrize(
    ("question_id", "raw", "value"),
    [
        ("workers", 0, 0),
        ("workers", 1200, 1200),
        ("dormitory", "yes", "yes"),
        ("dormitory", False, "no"),
        ("hours", "12.50", "12.5"),
        ("hours", 12.5, "12.5"),
        ("hours", -3, "-3"),
        ("hours", "-0.0", "0"),
        ("hours", "100", "100"),
        ("union_share", "0", "0"),
        ("union_share", 100, "100"),
        ("lowest_wage", "290.00", "290 JOD"),
        ("lowest_wage", "290 JOD", "290 JOD"),
        ("lowest_wage", {"amount": "290.5", "currency": "JOD"}, "290.5 JOD"),
        ("opened_on", "2026-03-02", "2026-03-02"),
        ("products", "trousers", "trousers"),
        ("size", "small", "small"),
        ("steps", ["sewing", "cutting"], ("cutting", "sewing")),
        ("apprentices", {"women": 3, "men": 0}, {"women": 3, "men": 0}),
    ],
)
def test_a_good_answer_has_one_written_form(question_id: str, raw: object, value: object) -> None:
    assert checked(QUESTIONS[question_id], raw, TODAY).value == value


@pytest.mark.parametrize(
    ("question_id", "raw", "reason"),
    [
        ("workers", "1,200", "not a whole number"),
        ("workers", 12.0, "not a whole number"),
        ("workers", True, "not a whole number"),
        ("workers", -1, "below 0"),
        ("workers", 100_001, "above 100000"),
        ("workers", 10**18, "too large"),
        ("dormitory", "Yes", "neither yes nor no"),
        ("dormitory", 1, "neither yes nor no"),
        ("hours", "12,5", "not a number"),
        ("hours", "1e3", "not a number"),
        ("hours", float("nan"), "not a number"),
        ("hours", "٣", "not a number"),
        ("hours", "1.1234567", "not a number"),
        ("hours", " 1", "not a number"),
        ("union_share", "85 %", "not a number"),
        ("union_share", "100.1", "between 0 and 100"),
        ("union_share", -1, "between 0 and 100"),
        ("lowest_wage", {"amount": "290", "currency": "USD"}, "currency is JOD"),
        ("lowest_wage", {"amount": "290"}, "amount and a currency"),
        ("lowest_wage", "290 USD", "currency is JOD"),
        ("lowest_wage", "-1", "below 0"),
        ("opened_on", "02/03/2026", "not a date"),
        ("opened_on", "20260302", "not a date"),
        ("opened_on", "2026-02-30", "not a day"),
        ("opened_on", "2026-03-03", "future"),
        ("products", "  ", "empty"),
        ("products", "a\x00b", "control character"),
        ("products", "x" * 10_001, "at most 10000"),
        ("products", 7, "is a text"),
        ("size", "medium", "not one of small, large"),
        ("size", ["small"], "not one of"),
        ("steps", [], "at least one"),
        ("steps", "sewing", "at least one"),
        ("steps", ["sewing", "sewing"], "twice"),
        ("steps", [["sewing"]], "not one of"),
        ("apprentices", {"women": 3}, "women and men"),
        ("apprentices", {"women": 3, "men": -1}, "whole number"),
        ("apprentices", {"women": 3, "men": True}, "whole number"),
    ],
)
def test_a_bad_answer_is_refused_with_its_reason(question_id: str, raw: object, reason: str) -> None:
    with pytest.raises(AnswerRefused, match=reason):
        checked(QUESTIONS[question_id], raw, TODAY)


def test_a_text_is_composed_and_kept_as_it_was_typed() -> None:
    typed = unicodedata.normalize("NFD", "Việt")
    found = checked(QUESTIONS["products"], typed, TODAY)
    assert found.value == "Việt"
    assert found.original == typed


@pytest.mark.parametrize("cell", ["1.0", "1 200", "", "+1", "٣"])
def test_a_whole_number_in_a_file_is_written_in_plain_digits(cell: str) -> None:
    with pytest.raises(AnswerRefused):
        checked_cell(QUESTIONS["workers"], cell, TODAY)


@pytest.mark.parametrize("cell", ["2", "", "NA", "yes"])
def test_a_rated_finding_that_is_not_understood_is_refused(cell: str) -> None:
    with pytest.raises(AnswerRefused):
        read_finding(QUESTIONS["exits_open"], cell, TODAY)


VALUES = st.one_of(
    st.tuples(st.just("workers"), st.integers(0, 100_000)),
    st.tuples(st.just("dormitory"), st.sampled_from(["yes", "no"])),
    st.tuples(st.just("hours"), st.decimals(-(10**6), 10**6, places=3).map(str)),
    st.tuples(st.just("union_share"), st.integers(0, 100)),
    st.tuples(st.just("lowest_wage"), st.decimals(0, 10**6, places=2).map(str)),
    st.tuples(st.just("opened_on"), st.dates(max_value=TODAY, min_value=date(1900, 1, 1)).map(date.isoformat)),
    st.tuples(st.just("size"), st.sampled_from(["small", "large"])),
    st.tuples(st.just("steps"), st.sets(st.sampled_from(["cutting", "sewing", "washing"]), min_size=1).map(list)),
    st.tuples(st.just("apprentices"), st.fixed_dictionaries({"women": st.integers(0, 999), "men": st.integers(0, 9)})),
    st.tuples(
        st.just("products"),
        st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\t\n\r=+-@'NA"), min_size=1).filter(
            lambda text: bool(text.strip())
        ),
    ),
)


@given(VALUES)
def test_every_value_survives_a_results_file(answer: tuple[str, object]) -> None:
    question = QUESTIONS[answer[0]]
    found = checked(question, answer[1], TODAY)
    cell = guarded(cell_of(found.value if found.original is None else found.original))
    assert read_finding(question, cell, TODAY).content == found


@given(st.text(alphabet="'=+-@NA1.\t\r\n x"))
def test_guarding_a_cell_is_undone_by_reading_it(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-A1", "@x", "\t=1", "\r=1", "\n=1", "=A\n1"])
def test_no_cell_reaches_a_spreadsheet_as_a_formula(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-5", "-5.25", "plain", "", "1-2"])
def test_harmless_cells_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell
