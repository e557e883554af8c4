"""The printed report: readable in both languages, the same bytes every time, and no text is ever code."""

import io
import subprocess
import sys
from datetime import UTC, date, datetime

import msgspec
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.assessment import FactV1
from contracts.vocabulary import CLUSTERS, COMPLIANCE_POINTS, AnswerType, Basis
from services.reporting.domain.freezing import take
from services.reporting.domain.report import Report
from services.reporting.domain.snapshot import canonical, fingerprint
from services.reporting.evidence.print_safe import covered, print_safe
from services.reporting.evidence.sheet import Sheet, sheet_of
from services.reporting.evidence.typesetting import CannotBePrinted, typeset
from services.reporting.evidence.words import FOLDER, LanguageNotAvailable, available, chosen, words
from tests.reporting.builders import a_card, a_questionnaire, a_visit

NOW = datetime(2026, 2, 20, 9, tzinfo=UTC)
LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.json"))
HOSTILE = (
    '#import "x": *',
    "$$ $ \\ ` * _ @ref <label> // /* ]",
    '\\u{41} #sys.inputs #read("/etc/passwd")',
    "\u202eevil\u2066 RTL\u200f",
    "emoji \U0001f600 中文 ខ្មែរ \ue000",
    "\x00\x01\x1b[31m\n\n\t",
    "W" * 4_000,
    "ﷺ" * 300,
    "",
)


def a_sheet(language: str = "en", *, name: str = "Al-Rabea Garments", is_released: bool = False) -> Sheet:
    card = a_card(name=name)
    snapshot = take("0198f0c2-5b1e-5c57", a_visit(), a_questionnaire(), card)
    content = canonical(snapshot)
    report, _ = Report.of(snapshot, card, country="JO", sha256=fingerprint(content), size=len(content), now=NOW)
    if is_released:
        report, _ = report.release(by="leader", now=NOW, today=date(2026, 3, 20))
    return sheet_of(snapshot, report, language)


def text_of(document: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


def test_the_same_sheet_gives_the_same_bytes_in_another_process() -> None:
    here = fingerprint(typeset(a_sheet("ar"), NOW))
    script = "from tests.reporting.test_printing import *\nprint(fingerprint(typeset(a_sheet('ar'), NOW)))"
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_the_document_is_for_archives_and_for_screen_readers() -> None:
    reader = pypdf.PdfReader(io.BytesIO(typeset(a_sheet(), NOW)))
    about = str(reader.xmp_metadata.stream.get_data()) if reader.xmp_metadata else ""
    assert "<pdfaid:part>2<" in about
    assert "<pdfaid:conformance>B<" in about
    assert "<pdfuaid:part>1<" in about
    assert str(reader.root_object["/Lang"]) == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == "Factory assessment report · Al-Rabea Garments"
    assert reader.metadata.creation_date == NOW


def test_the_outline_has_the_headings() -> None:
    reader = pypdf.PdfReader(io.BytesIO(typeset(a_sheet(), NOW)))
    tops = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert tops == ["Key results", "Findings", "Facts about the factory", "Legal references", "Method and limits"]


def test_only_the_fonts_of_the_service_are_embedded() -> None:
    reader = pypdf.PdfReader(io.BytesIO(typeset(a_sheet("ar"), NOW)))
    fonts = {
        str(_inside(font)["/BaseFont"])
        for page in reader.pages
        for font in _inside(_inside(page["/Resources"])["/Font"]).values()
    }
    assert {font.partition("+")[2].partition("-")[0] for font in fonts} == {"NotoSans", "NotoSansArabic"}


def _inside(reference: pypdf.generic.PdfObject) -> pypdf.generic.DictionaryObject:
    found = reference.get_object()
    assert isinstance(found, pypdf.generic.DictionaryObject)
    return found


def test_the_cover_findings_and_references_are_printed() -> None:
    text = text_of(typeset(a_sheet(is_released=True), NOW))
    for words_of_the_report in (
        "Al-Rabea Garments",
        "JO-0042",
        "Jordan",
        "C14 · Manufacture of wearing apparel",
        "11/02/2026",
        "Released on 20/03/2026",
        "The age of workers is not verified.",
        "National law",
        "(Ref 1)",
        "Public issue",
        "Labour Law No. 8 of 1996, art. 73",
        "star-rates-1",
        "Women 812 · Men 391",
        "01/03/2009",
        "1 / ",
    ):
        assert words_of_the_report in text


def test_a_report_that_is_not_released_says_so_on_its_cover() -> None:
    assert "Not yet released" in text_of(typeset(a_sheet(), NOW))


def test_arabic_is_set_from_right_to_left() -> None:
    places: dict[str, float] = {}

    def note(text: str, page: list[float], line: list[float], *_: object) -> None:
        places.setdefault(text.strip(), page[4] + line[4])

    pypdf.PdfReader(io.BytesIO(typeset(a_sheet("ar"), NOW))).pages[0].extract_text(visitor_text=note)
    first, second, third = ["تقرير", "تقييم", "المصنع"]
    assert places[first] > places[second] > places[third]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_is_ever_read_as_code_or_stops_the_printing(language: str, name: str) -> None:
    assert typeset(a_sheet(language, name=name), NOW).startswith(b"%PDF")


def test_hostile_text_is_printed_as_it_is() -> None:
    text = text_of(typeset(a_sheet(name='#import "x": $y$ \\ <z>'), NOW))
    assert '#import "x": $y$ \\ <z>' in text


@settings(max_examples=40)
@given(st.text(max_size=200))
def test_any_name_can_be_printed(name: str) -> None:
    assert typeset(a_sheet("ar", name=name), NOW).startswith(b"%PDF")


def test_every_character_that_is_said_to_be_covered_can_be_printed() -> None:
    points = sorted(covered())
    for start in range(0, len(points), 400):
        name = " ".join(map(chr, points[start : start + 400]))
        sheet = msgspec.structs.replace(a_sheet(), clear_clusters=name)
        assert typeset(sheet, NOW).startswith(b"%PDF")


def test_what_cannot_be_typeset_is_refused_and_does_not_end_the_process() -> None:
    with pytest.raises(CannotBePrinted):
        typeset(msgspec.structs.replace(a_sheet(), factory="\U0001f600"), NOW)


def test_reordering_marks_and_controls_are_taken_out() -> None:
    assert print_safe("a\u202eb\u2069 \n c\x07\U0001f600") == "ab c??"


def test_a_long_word_can_be_broken() -> None:
    assert max(len(part) for part in print_safe("x" * 100).split("\u200b")) == 24


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_catalogue_names_every_cluster_point_and_basis(language: str) -> None:
    said = words(language)
    english = words("en")
    assert set(said.clusters) == {cluster.code for cluster in CLUSTERS}
    assert set(said.points) == {point.code for point in COMPLIANCE_POINTS}
    assert set(said.basis) == set(Basis)
    for part in ("headings", "details", "release", "tiles", "columns", "results", "countries", "industries"):
        assert set(getattr(said, part)) == set(getattr(english, part)), part
    assert len(said.method) == len(english.method)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_a_catalogue_can_be_printed(language: str) -> None:
    letters = {ord(letter) for letter in (FOLDER / f"{language}.json").read_text("utf-8")} - {ord("\n")}
    assert letters <= covered()


def test_a_report_is_offered_in_the_languages_of_its_questionnaire() -> None:
    assert available(("ar", "en", "fr")) == ("ar", "en")
    assert available(("km",)) == ("en",)
    assert chosen(None, ("ar", "en")) == "ar"
    with pytest.raises(LanguageNotAvailable):
        chosen("fr", ("ar", "en"))


def test_a_text_missing_in_one_language_is_printed_in_the_first_one() -> None:
    questionnaire = a_questionnaire()
    bare = msgspec.structs.replace(questionnaire.questions[3], texts={"en": "Only English"}, finding_texts={})
    questions = (*questionnaire.questions[:3], bare, *questionnaire.questions[4:])
    snapshot = take("r1", a_visit(), msgspec.structs.replace(questionnaire, questions=questions), a_card())
    report, _ = Report.of(snapshot, a_card(), country="JO", sha256="0", size=1, now=NOW)
    assert sheet_of(snapshot, report, "ar").clusters[0].points[0].findings[0].text == "Only English"


@pytest.mark.parametrize(
    ("answer_type", "value", "printed"),
    [
        (AnswerType.PERCENT, "37.5", "37.5\u00a0%"),
        (AnswerType.INTEGER, 1200, "1200"),
        (AnswerType.YES_NO, "no", "No"),
        (AnswerType.DATE, "2009-03-01", "01/03/2009"),
        (AnswerType.DATE, "unknown", "unknown"),
        (AnswerType.CHOICE, "piece_rate", "piece rate"),
        (AnswerType.CHOICES, ("t_shirts", "jackets"), "t shirts, jackets"),
        (AnswerType.MONEY, "260.00", "260.00"),
        (AnswerType.INTEGER, 2**70, str(2**70)),
    ],
)
def test_facts_are_written_out_by_type(answer_type: AnswerType, value: str | int, printed: str) -> None:
    fact = FactV1(question_id="systems_01", section="systems", answer_type=answer_type, value=value)
    snapshot = take("r1", a_visit(facts=[fact]), a_questionnaire(), a_card())
    report, _ = Report.of(snapshot, a_card(), country="JO", sha256="0", size=1, now=NOW)
    # A no-break space is white space to print_safe, which prints on one line.
    assert sheet_of(snapshot, report, "en").sections[0].facts[0].value == printed.replace("\u00a0", " ")
