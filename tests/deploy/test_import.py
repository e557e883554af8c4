"""Importing results files over HTTP into a running country: good ones, bad rows, and files that are no results."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.client import Refused
from deploy.results_file import UnreadableFile
from services.assessment.domain.results import COLUMNS
from tests.deploy.country import Columns, Country, Row, Visit, a_file, exported, imported, started
from tests.support.eventually import eventually
from tests.support.star import typed

BAD = 5
"""Where the bad row stands among the rows; its line is two further."""


async def test_findings_plan_and_report_follow_from_a_good_file(country: Country, tmp_path: Path) -> None:
    visit = country.visit()
    done = await imported(country.star, a_file(tmp_path / "results.csv", visit.rows))
    assert (done.counts, done.progress.finalised) == ((len(visit.rows), 0, 0), 1)
    async with country.star.as_user("leader") as leader:
        found = await leader.get(f"/visits/{visit.id}/findings")
        assert len(found["items"]) == visit.findings

        async def both() -> bool:
            plans = await leader.get(f"/plans?factory_id={visit.factory_id}")
            reports = await leader.get(f"/reports?factory_id={visit.factory_id}")
            return all(any(item["visit_id"] == visit.id for item in page["items"]) for page in (plans, reports))

        await eventually(both, 20, saying="a plan and a frozen report of the imported visit")


def _with(column: str, value: str) -> Callable[[Row], Row]:
    return lambda row: [value if position == Columns[column] else cell for position, cell in enumerate(row)]


BAD_ROWS: dict[str, tuple[Callable[[Row], Row], str]] = {
    "unknown question": (_with("Question id", "no_such_question"), 'has no question "no_such_question"'),
    "wrong country": (_with("Country", "HT"), 'The country is "HT"; this programme is JO.'),
    "unknown finding": (_with("finding", "2"), 'The finding "2" of a rated question'),
    "wrong cluster": (_with("Cluster", "Compensation"), 'not to "Compensation"'),
    "wrong compliance point": (_with("CP", "strikes"), 'not to "strikes"'),
    "wrong type": (_with("type", "FGW"), 'not "FGW"'),
    "wrong questionnaire": (_with("TQ name", "Another"), 'no published questionnaire "Another"'),
    "date of another form": (_with("start date", "05/01/2024"), 'The start date "05/01/2024" is not a date'),
    "date that is none": (_with("start date", "2024-02-30"), 'The start date "2024-02-30" is not a date'),
    "cycle zero": (_with("Cycle", "0"), 'The cycle "0"'),
    "Quest id with a space": (_with("Quest id", "Q 1"), 'The Quest id "Q 1"'),
    "too few columns": (lambda row: row[:-1], "The row has 12 cells; the header has 13."),
    "too many columns": (lambda row: [*row, "x"], "The row has 14 cells; the header has 13."),
    "megabyte cell": (_with("label", "x" * 1_000_000), "100,000 is the most"),
}


def _rated(visit: Visit) -> Visit:
    """A visit of rated questions only, so that every row can go wrong in every way."""
    visit.rows = [row for row in visit.rows if row[Columns["type"]] == "NCQ"][:12]
    return visit


@pytest.mark.parametrize("kind", BAD_ROWS)
async def test_a_bad_row_is_told_with_line_and_reason_and_the_good_ones_are_in(
    country: Country, tmp_path: Path, kind: str
) -> None:
    spoil, reason = BAD_ROWS[kind]
    visit = _rated(country.visit())
    rows = [spoil(row) if position == BAD else row for position, row in enumerate(visit.rows)]
    done = await imported(country.star, a_file(tmp_path / "results.csv", rows))
    [(line, told)] = done.told
    assert (line, done.counts) == (BAD + 2, (len(rows) - 1, 0, 1))
    assert reason in told


async def test_a_row_of_an_unknown_factory_is_told_with_line_and_reason(country: Country, tmp_path: Path) -> None:
    visit = _rated(country.visit())
    rows = [*visit.rows, _with("Factory id", "F-9999")(visit.rows[0])]
    done = await imported(country.star, a_file(tmp_path / "results.csv", rows))
    assert done.told == [(len(rows) + 1, 'No factory with the original id "F-9999" is registered.')]


async def test_a_number_with_a_thousands_separator_is_told_not_guessed(country: Country, tmp_path: Path) -> None:
    visit = country.visit(40)
    position = visit.position("supplier_information_15")
    visit.rows[position][Columns["finding"]] = "1,200"
    done = await imported(country.star, a_file(tmp_path / "results.csv", visit.rows))
    assert [line for line, _ in done.told] == [position + 2]
    assert done.counts == (39, 0, 1)


async def test_lines_are_counted_as_a_spreadsheet_counts_rows(country: Country, tmp_path: Path) -> None:
    visit = _rated(country.visit())
    visit.rows[1] = _with("label", "a label\nover\nthree lines")(visit.rows[1])
    visit.rows[BAD] = _with("finding", "2")(visit.rows[BAD])
    done = await imported(country.star, a_file(tmp_path / "results.csv", visit.rows))
    assert [line for line, _ in done.told] == [BAD + 2]


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "with a byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "with LF line ends": lambda content: content.replace(b"\r\n", b"\n"),
    "with CR line ends": lambda content: content.replace(b"\r\n", b"\r"),
    "with empty lines": lambda content: content.replace(b"\r\n", b"\r\n\r\n"),
    "without a last line end": lambda content: content.removesuffix(b"\r\n"),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_a_file_is_understood(country: Country, tmp_path: Path, name: str) -> None:
    visit = country.visit(8)
    path = a_file(tmp_path / "results.csv", visit.rows)
    path.write_bytes(FORMATS[name](path.read_bytes()))
    assert (await imported(country.star, path)).counts == (8, 0, 0)


async def test_columns_may_stand_in_another_order_among_others(country: Country, tmp_path: Path) -> None:
    visit = country.visit(8)
    rows = [["mine", *reversed(row)] for row in visit.rows]
    path = a_file(tmp_path / "results.csv", rows, header=["notes", *reversed(COLUMNS)])
    assert (await imported(country.star, path)).counts == (8, 0, 0)


GOOD = ",".join(COLUMNS).encode()
NO_RESULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "an empty first line": (b"\r\nJO,F-0001\r\n", "is empty"),
    "semicolons": (GOOD.replace(b",", b";") + b"\r\n", "separates its columns by semicolons: save it with commas"),
    "tabs": (GOOD.replace(b",", b"\t") + b"\r\n", "separates its columns by tabs"),
    "a workbook": (b"PK\x03\x04 and so on", "is a workbook: save its sheet as CSV UTF-8"),
    "binary": (bytes(range(256)) * 40, "is not UTF-8 near line"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "is not UTF-8 near line 1"),
    "Latin-1": (GOOD + b"\r\n" + "JO,usine à Irbid".encode("latin-1"), 'save it as "CSV UTF-8"'),
    "an open quotation mark": (GOOD + b'\r\nJO,"F-0001,1,Q1\r\nJO,F-0001\r\n', "a quotation mark that is not closed?"),
}


@pytest.mark.parametrize("name", NO_RESULTS)
async def test_what_is_no_results_file_is_refused_with_what_to_mend(
    country: Country, tmp_path: Path, name: str
) -> None:
    content, reason = NO_RESULTS[name]
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as refusal:
        await imported(country.star, path)
    assert reason in str(refusal.value)


async def test_nothing_is_imported_of_a_file_that_breaks_off_as_latin_1(country: Country, tmp_path: Path) -> None:
    visit = country.visit(200)
    path = a_file(tmp_path / "results.csv", visit.rows)
    path.write_bytes(path.read_bytes() + "à".encode("latin-1"))
    with pytest.raises(UnreadableFile):
        await imported(country.star, path)
    async with country.star.as_user() as admin:
        assert (await admin.call("GET", f"/visits/{visit.id}")).status == 404


async def test_a_file_without_a_column_is_refused_by_its_name(country: Country, tmp_path: Path) -> None:
    path = a_file(tmp_path / "results.csv", [], header=COLUMNS[:-1])
    with pytest.raises(Refused, match="each of these columns once: finding"):
        await imported(country.star, path)


async def test_the_same_file_again_changes_nothing(country: Country, tmp_path: Path) -> None:
    visit = country.visit()
    path = a_file(tmp_path / "results.csv", visit.rows)
    await imported(country.star, path)
    before = await exported(country.star)
    again = await imported(country.star, path)
    assert again.counts == (0, len(visit.rows), 0)
    assert await exported(country.star) == before


async def test_a_corrected_file_brings_in_the_visit_that_had_only_bad_rows(country: Country, tmp_path: Path) -> None:
    visit = _rated(country.visit())
    bad = [_with("TQ name", "Misspelt")(row) for row in visit.rows]
    assert (await imported(country.star, a_file(tmp_path / "bad.csv", bad))).counts == (0, 0, 12)
    done = await imported(country.star, a_file(tmp_path / "good.csv", visit.rows))
    assert (done.counts, done.progress.finalised, done.progress.refused) == ((12, 0, 0), 1, [])


async def test_an_unchanged_file_that_was_rejected_is_tried_again_as_a_whole(country: Country, tmp_path: Path) -> None:
    visit = country.visit(8)
    path = a_file(tmp_path / "bad.csv", [_with("Country", "HT")(row) for row in visit.rows])
    await imported(country.star, path)
    assert (await imported(country.star, path)).counts == (0, 0, 8)


async def test_a_visit_that_judges_nothing_is_named_as_not_finalised(country: Country, tmp_path: Path) -> None:
    visit = country.visit(8)
    done = await imported(country.star, a_file(tmp_path / "results.csv", visit.rows))
    assert done.progress.refused == [f"{visit.id}: The visit judged no question, so there is nothing to finalise."]


async def test_an_export_imported_into_an_empty_country_exports_the_same_bytes(
    country: Country, tmp_path: Path
) -> None:
    await imported(country.star, a_file(tmp_path / "results.csv", country.visit().rows))
    exporting = await typed("export", tmp_path / "exported.csv", "--url", country.star.url)
    assert exporting.returncode == 0, exporting.stderr
    other = await started(tmp_path / "other")
    try:
        done = await imported(other.star, tmp_path / "exported.csv")
        assert (done.told, done.progress.refused) == ([], [])
        assert await exported(other.star) == (tmp_path / "exported.csv").read_bytes()
    finally:
        other.star.close()
