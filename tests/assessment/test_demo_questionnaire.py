"""The demo country's workbook holds what an administrator may upload: complete, bilingual and a valid XLSForm."""

import re
from collections import Counter

import pytest
from openpyxl import load_workbook
from pyxform.xls2xform import convert

from contracts.vocabulary import (
    CLUSTER_BY_CODE,
    CLUSTERS,
    COMPLIANCE_POINTS,
    POINT_BY_CODE,
    AnswerType,
    Basis,
    Polarity,
    QuestionKind,
)
from tests.assessment.demo_workbook import (
    ARABIC,
    ARABIC_LETTER,
    ENGLISH,
    WORKBOOK,
    every_question,
    homes,
    questions,
    survey,
    table,
    unwritten,
)

LATIN_LETTER = re.compile("[A-Za-z]")
GATE = re.compile(r"\$\{(?P<name>\w+)\} (?:= 'yes'|> 0)")
CONSTRAINT = re.compile(r"\. >= \d+( and \. <= \d+)?|\. <= today\(\)")
EVIDENCE = {"document", "management", "worker", "observation"}
TAGS = {"public_disclosure", "differentiation"}
# fmt: off
ZERO_TOLERANCE = {
    "child_labourers", "hazardous_work", "gender", "coercion", "dialogue_and_discipline", "osh_management",
    "worker_accommodation", "emergency_preparedness",
}
PUBLIC_POINTS = {
    "child_labourers", "gender", "coercion", "forced_overtime", "freedom_to_associate", "interference",
    "collective_bargaining", "strikes", "minimum_wages", "overtime_wages", "paid_leave", "wage_information",
    "dialogue_and_discipline", "osh_management", "chemicals", "welfare_facilities", "emergency_preparedness",
}
# fmt: on
XLSFORM_TYPE = {
    AnswerType.YES_NO: "select_one",
    AnswerType.INTEGER: "integer",
    AnswerType.DECIMAL: "decimal",
    AnswerType.PERCENT: "decimal",
    AnswerType.MONEY: "decimal",
    AnswerType.DATE: "date",
    AnswerType.TEXT: "text",
    AnswerType.CHOICE: "select_one",
    AnswerType.CHOICES: "select_multiple",
    AnswerType.BY_SEX: "begin_group",
}


def test_it_converts_to_an_xform_in_two_languages_without_a_warning() -> None:
    result = convert(str(WORKBOOK))
    assert result.warnings == []
    assert f'<translation lang="{ARABIC}">' in result.xform


def test_it_has_exactly_the_clusters_and_sections_of_the_vocabulary() -> None:
    outer = [row["name"] for row, around in survey() if row["type"] == "begin_group" and not around]
    assert sorted(outer) == sorted(CLUSTER_BY_CODE)
    rated = [name for name in outer if CLUSTER_BY_CODE[name].is_rated]
    assert rated == [cluster.code for cluster in CLUSTERS if cluster.is_rated]


def test_it_has_exactly_the_compliance_points_of_the_vocabulary_in_their_clusters() -> None:
    inner = [
        (row["name"], around[0])
        for row, around in survey()
        if row["type"] == "begin_group" and around and CLUSTER_BY_CODE[around[0]].is_rated
    ]
    assert inner == [(point.code, point.cluster) for point in COMPLIANCE_POINTS]


def test_groups_carry_the_names_of_the_vocabulary() -> None:
    names = {code: cluster.name for code, cluster in CLUSTER_BY_CODE.items()}
    names |= {code: point.name for code, point in POINT_BY_CODE.items()}
    labels = {row["name"]: row[f"label::{ENGLISH}"] for row, _ in survey() if row["type"] == "begin_group"}
    assert {code: labels[code] for code in names} == names


def test_every_compliance_point_has_at_least_two_of_190_questions() -> None:
    counts = Counter(around[1] for around in homes(QuestionKind.NON_COMPLIANCE).values())
    assert counts.total() >= 190
    assert set(counts) == set(POINT_BY_CODE)
    assert min(counts.values()) >= 2


def test_facts_stand_directly_in_the_sections_that_are_not_rated() -> None:
    facts = list(homes(QuestionKind.FACT).values())
    assert len(facts) >= 25
    assert {home[0] for home in facts} == {cluster.code for cluster in CLUSTERS if not cluster.is_rated}
    assert {len(home) for home in facts} == {1}


def test_questions_are_numbered_within_their_group() -> None:
    everything = homes(QuestionKind.NON_COMPLIANCE) | homes(QuestionKind.FACT)
    counts: Counter[str] = Counter()
    for name, home in everything.items():
        counts[home[-1]] += 1
        assert name == f"{home[-1]}_{counts[home[-1]]:02d}"


def test_names_are_unique() -> None:
    names = Counter(row["name"] for row, _ in survey() if row["type"] != "end_group")
    assert [name for name, count in names.items() if count > 1] == []


def test_global_ids_follow_the_name_of_the_question_and_are_unique() -> None:
    ids = [row["star_global_id"] for row in every_question()]
    assert ids == ["G-" + "-".join(row["name"].rsplit("_", 1)) for row in every_question()]
    assert len(ids) == len(set(ids))


def test_the_first_version_is_its_own_origin() -> None:
    assert [row["star_original_id"] for row in every_question()] == [row["name"] for row in every_question()]


def test_every_label_is_written_in_both_languages() -> None:
    assert unwritten("label", [row for row, _ in survey() if row["type"] != "end_group"]) == []


def test_every_question_has_guidance_in_both_languages() -> None:
    assert unwritten("guidance_hint", every_question()) == []


def test_every_cluster_opens_with_guidance_in_both_languages() -> None:
    clusters = [row for row, around in survey() if row["type"] == "begin_group" and not around]
    assert unwritten("guidance_hint", clusters) == []


def test_every_non_compliance_question_has_its_finding_in_both_languages() -> None:
    assert unwritten("star_finding", questions(QuestionKind.NON_COMPLIANCE)) == []


def test_every_limit_explains_itself_in_both_languages() -> None:
    assert unwritten("constraint_message", [row for row, _ in survey() if row["constraint"]]) == []


def test_nothing_arabic_is_left_in_english_or_the_other_way_round() -> None:
    rows = [*(row for row, _ in survey()), *table("choices"), *table("settings")]
    strays = [
        text
        for row in rows
        for column, text in row.items()
        if (LATIN_LETTER if column.endswith(("(ar)", "_ar")) else ARABIC_LETTER).search(text)
    ]
    assert strays == []


def test_a_question_gives_the_polarity_and_the_basis_of_its_judgement() -> None:
    rows = questions(QuestionKind.NON_COMPLIANCE)
    assert {row["star_polarity"] for row in rows} == set(Polarity)
    assert {row["star_basis"] for row in rows} == set(Basis)
    assert {row["star_answer_type"] for row in rows} == {AnswerType.YES_NO}


def test_a_fact_is_not_judged() -> None:
    columns = ("star_polarity", "star_basis", f"star_finding::{ENGLISH}", "star_tags", "star_zero_tolerance")
    assert [row["name"] for row in questions(QuestionKind.FACT) if any(row[column] for column in columns)] == []


def test_what_is_measured_against_law_or_convention_cites_it_in_both_languages() -> None:
    measured = {Basis.NATIONAL_LAW, Basis.ILO}
    rows = [row for row in questions(QuestionKind.NON_COMPLIANCE) if row["star_basis"] in measured]
    silent = [
        row["name"]
        for row in rows
        if not row["star_legal_reference"] or not ARABIC_LETTER.search(row["star_legal_reference_ar"])
    ]
    assert silent == []


def test_references_are_as_many_in_arabic_as_in_english() -> None:
    uneven = [
        row["name"]
        for row in every_question()
        if row["star_legal_reference"].count("; ") != row["star_legal_reference_ar"].count("؛ ")
    ]
    assert uneven == []


def test_evidence_names_known_sources() -> None:
    sources = [set(row["star_evidence"].split()) for row in every_question()]
    assert [source for source in sources if not source or not source <= EVIDENCE] == []


def test_about_26_questions_are_public_and_stand_where_public_issues_stand() -> None:
    rows = questions(QuestionKind.NON_COMPLIANCE)
    public = [row["name"].rsplit("_", 1)[0] for row in rows if "public_disclosure" in row["star_tags"].split()]
    assert 24 <= len(public) <= 29
    assert set(public) == PUBLIC_POINTS


def test_tags_are_known_and_some_questions_tell_factories_apart() -> None:
    tags = Counter(tag for row in every_question() for tag in row["star_tags"].split())
    assert set(tags) == TAGS
    assert tags["differentiation"] >= 10


def test_zero_tolerance_is_flagged_where_the_protocol_has_a_trigger() -> None:
    flagged = [row for row in every_question() if row["star_zero_tolerance"]]
    assert {row["star_zero_tolerance"] for row in flagged} == {"yes"}
    assert {row["name"].rsplit("_", 1)[0] for row in flagged} == ZERO_TOLERANCE


def test_not_applicable_is_a_choice_exactly_where_it_is_permitted() -> None:
    rows = questions(QuestionKind.NON_COMPLIANCE)
    answers = {(row["star_not_applicable"], row["type"]) for row in rows}
    assert answers == {("yes", "select_one yes_no_na"), ("", "select_one yes_no")}


def test_only_a_question_that_may_not_apply_depends_on_the_factory_profile() -> None:
    dependent = [row for row in questions(QuestionKind.NON_COMPLIANCE) if row["relevant"]]
    assert len(dependent) >= 20
    assert [row["name"] for row in dependent if row["star_not_applicable"] != "yes"] == []


def test_dependence_is_on_an_earlier_fact_about_the_factory_of_the_right_type() -> None:
    seen: dict[str, str] = {}
    for row, _ in survey():
        if row["relevant"]:
            gate = GATE.fullmatch(row["relevant"])
            assert gate, row["name"]
            compared_with = AnswerType.YES_NO if "'yes'" in row["relevant"] else AnswerType.INTEGER
            assert seen[gate["name"]] == compared_with, row["name"]
            assert gate["name"].startswith("supplier_information_")
        seen[row["name"]] = row["star_answer_type"]


def test_a_profile_fact_that_opens_other_questions_must_be_answered() -> None:
    gates = {match["name"] for row, _ in survey() if (match := GATE.fullmatch(row["relevant"]))}
    assert {row["required"] for row in every_question() if row["name"] in gates} == {"yes"}


def test_facts_are_of_every_type_and_their_xlsform_type_agrees() -> None:
    facts = questions(QuestionKind.FACT)
    assert {row["star_answer_type"] for row in facts} == set(AnswerType)
    assert all(row["type"].split()[0] == XLSFORM_TYPE[AnswerType(row["star_answer_type"])] for row in facts)


def test_a_table_by_sex_holds_one_number_of_women_and_one_of_men() -> None:
    groups = [row["name"] for row in every_question() if row["star_answer_type"] == AnswerType.BY_SEX]
    for group in groups:
        inside = [(row["type"], row["name"]) for row, around in survey() if around[-1:] == (group,)]
        assert inside == [("integer", f"{group}_women"), ("integer", f"{group}_men")]


def test_limits_are_of_the_forms_that_are_documented_and_percents_end_at_100() -> None:
    limits = {row["constraint"] for row, _ in survey() if row["constraint"]}
    assert [limit for limit in limits if not CONSTRAINT.fullmatch(limit)] == []
    percents = {row["constraint"] for row in every_question() if row["star_answer_type"] == AnswerType.PERCENT}
    assert percents == {". >= 0 and . <= 100"}


def test_money_is_in_the_currency_of_the_country_and_nothing_else_is() -> None:
    currencies = {(row["star_answer_type"] == AnswerType.MONEY, row["star_currency"]) for row in every_question()}
    assert currencies == {(True, "JOD"), (False, "")}


def test_every_choice_is_used_and_written_in_both_languages() -> None:
    used = {row["type"].split()[1] for row, _ in survey() if row["type"].startswith("select_")}
    assert {row["list_name"] for row in table("choices")} == used
    assert unwritten("label", table("choices")) == []


def test_the_settings_say_whose_form_it_is() -> None:
    (settings,) = table("settings")
    assert ARABIC_LETTER.search(settings.pop("star_title_ar"))
    assert settings == {
        "form_title": "Compliance assessment: Jordan, garment industry",
        "form_id": "jo_c14_assessment",
        "version": "2026.1",
        "default_language": ENGLISH,
        "star_country": "JO",
        "star_industry": "C14",
    }


def test_the_page_beside_the_workbook_describes_every_column() -> None:
    page = (WORKBOOK.parent / "QUESTIONNAIRE.md").read_text(encoding="utf-8")
    columns = [column for sheet in ("survey", "choices", "settings") for column in table(sheet)[0]]
    assert [column for column in columns if f"`{column}`" not in page] == []
    assert "confirms every reference" in page


@pytest.mark.parametrize("name", ["survey", "choices", "settings"])
def test_every_sheet_keeps_its_heading_in_view(name: str) -> None:
    assert load_workbook(WORKBOOK)[name].freeze_panes in {"A2", "C2"}
