"""A report as it is printed in one language: every text chosen, every number and date written out."""

from datetime import date
from typing import Final

import msgspec

from contracts.assessment import FactValue, Texts, VisitScope
from contracts.vocabulary import AnswerType, Outcome
from services.reporting.domain.report import Report
from services.reporting.domain.snapshot import ClusterPart, Fact, Item, Point, RateText, Snapshot
from services.reporting.evidence.print_safe import print_safe
from services.reporting.evidence.words import Words, words

COVER_NAME: Final = 120
HEADER_NAME: Final = 50
MEASURES: Final = {AnswerType.PERCENT: "\u00a0%"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A name and what is said of it."""

    name: str
    value: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One non-compliant question."""

    code: str
    text: str
    question: str
    basis: str
    references: tuple[str, ...]
    is_public: bool


class PointRow(msgspec.Struct, frozen=True, kw_only=True):
    """One compliance point in the table and, with its findings, in the body."""

    name: str
    state: str
    result: str
    questions: str
    findings: tuple[Finding, ...]


class ClusterSheet(msgspec.Struct, frozen=True, kw_only=True):
    """One cluster; ``share`` is its rate in ten-thousandths, for the length of its bar."""

    name: str
    counts: str
    percent: str
    share: int
    points: tuple[PointRow, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one section."""

    name: str
    facts: tuple[Row, ...]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the template prints; it computes nothing but the layout."""

    language: str
    words: Words
    factory: str
    factory_in_short: str
    cycle: str
    release: str
    is_released: bool
    report_id: str
    details: tuple[Row, ...]
    percent: str
    counts: str
    findings: int
    public_findings: int
    clusters: tuple[ClusterSheet, ...]
    clear_clusters: str
    sections: tuple[Section, ...]
    references: tuple[str, ...]
    method: tuple[str, ...]


def sheet_of(snapshot: Snapshot, report: Report, language: str) -> Sheet:
    """Lay out a snapshot in one language; the same input gives the same sheet."""
    said = words(language)
    tell = _Teller(snapshot, language)
    clusters = tuple(tell.cluster(part) for part in snapshot.clusters)
    clear = [part.name for part in clusters if not any(point.findings for point in part.points)]
    return Sheet(
        language=language,
        words=said,
        factory=_cut(print_safe(snapshot.factory.name), COVER_NAME),
        factory_in_short=_cut(print_safe(snapshot.factory.name), HEADER_NAME),
        cycle=str(snapshot.cycle),
        release=_release(report, said),
        is_released=report.released_on is not None,
        report_id=snapshot.report_id,
        details=_details(snapshot, report, said, tell),
        percent=percent_text(snapshot.rate),
        counts=_of(snapshot.rate, said),
        findings=report.key_results.findings,
        public_findings=report.key_results.public_findings,
        clusters=clusters,
        clear_clusters=said.no_findings_in.format(names=_joined(clear, language)) if clear else "",
        sections=tell.sections(),
        references=tuple(tell.text(reference.texts) for reference in snapshot.references),
        method=_method(snapshot, report, said, tell),
    )


class _Teller:
    """Chooses and writes out the texts of one snapshot in one language."""

    def __init__(self, snapshot: Snapshot, language: str) -> None:
        self._snapshot = snapshot
        self._order = (language, *snapshot.questionnaire.languages)
        self._words = words(language)

    def text(self, texts: Texts, otherwise: str = "") -> str:
        """The text in the language of the print, else in the questionnaire's first language that has it."""
        found = next((texts[tag] for tag in self._order if texts.get(tag)), next(iter(texts.values()), otherwise))
        return print_safe(found)

    def cluster(self, part: ClusterPart) -> ClusterSheet:
        """A cluster with its points."""
        rate = part.rate
        return ClusterSheet(
            name=self._words.clusters[part.code],
            counts=_of(rate, self._words),
            percent=percent_text(rate),
            share=rate.numerator * 10_000 // rate.denominator if rate.denominator else 0,
            points=tuple(self._point(point) for point in part.points),
        )

    def _point(self, point: Point) -> PointRow:
        state = "not_counted"
        if point.counts.counts:
            state = "non_compliant" if point.is_non_compliant else "compliant"
        judged = point.counts.compliant + point.counts.non_compliant
        found = [item for item in point.items if item.outcome is Outcome.NON_COMPLIANT]
        return PointRow(
            name=self._words.points[point.code],
            state=state,
            result=self._words.results[state],
            questions=self._words.of.format(n=point.counts.non_compliant, m=judged) if judged else "–",  # noqa: RUF001
            findings=tuple(self._finding(item) for item in found),
        )

    def _finding(self, item: Item) -> Finding:
        question = self.text(item.texts)
        return Finding(
            code=print_safe(item.question_id),
            text=self.text(item.finding_texts) or question or print_safe(item.question_id),
            question=question,
            basis=self._words.basis.get(item.basis or "", ""),
            references=tuple(self._words.reference.format(n=number) for number in item.references),
            is_public=item.is_public,
        )

    def sections(self) -> tuple[Section, ...]:
        """The facts by section, in the order of the questionnaire."""
        return tuple(
            Section(
                name=self._words.clusters.get(code) or print_safe(_spelt(code)),
                facts=tuple(self._fact(fact) for fact in self._snapshot.facts if fact.section == code),
            )
            for code in dict.fromkeys(fact.section for fact in self._snapshot.facts)
        )

    def _fact(self, fact: Fact) -> Row:
        name = self.text(fact.texts) or print_safe(fact.question_id)
        if fact.labels:
            return Row(name=name, value=_joined([self.text(label) for label in fact.labels], self._order[0]))
        return Row(name=name, value=print_safe(self._value(fact.answer_type, fact.value)))

    def _value(self, answer_type: AnswerType, value: FactValue) -> str:
        """A fact written out; the code of a choice without a label is spelt as words."""
        match value:
            case dict():
                names = {"women": self._words.women, "men": self._words.men}
                return " · ".join(f"{names.get(sex, _spelt(sex))} {n}" for sex, n in value.items())
            case tuple():
                return _joined([_spelt(code) for code in value], self._order[0])
            case str():
                return self._one(answer_type, value)
        return f"{value}{MEASURES.get(answer_type, '')}"

    def _one(self, answer_type: AnswerType, value: str) -> str:
        match answer_type:
            case AnswerType.YES_NO:
                return {"yes": self._words.yes, "no": self._words.no}.get(value, value)
            case AnswerType.DATE:
                return date_text(value)
            case AnswerType.CHOICE:
                return _spelt(value)
        return f"{value}{MEASURES.get(answer_type, '')}"


def _details(snapshot: Snapshot, report: Report, said: Words, tell: _Teller) -> tuple[Row, ...]:
    """The lines of the cover."""
    factory = snapshot.factory
    industry = said.industries.get(factory.industry)
    number = factory.id if factory.original_id in {"", factory.id} else f"{factory.original_id} ({factory.id})"
    questionnaire = snapshot.questionnaire
    lines = {
        "factory": factory.name,
        "factory_id": number,
        "country": said.countries.get(factory.country, factory.country),
        "industry": f"{factory.industry} · {industry}" if industry else factory.industry,
        "cycle": str(snapshot.cycle),
        "visited_on": date_text(snapshot.visited_on),
        "finalised_on": date_text(snapshot.finalised_at),
        "release": _release(report, said),
        "questionnaire": f"{tell.text(questionnaire.titles, questionnaire.id)} · {questionnaire.version}",
        "report_id": snapshot.report_id,
    }
    return tuple(Row(name=said.details[key], value=print_safe(value)) for key, value in lines.items())


def _release(report: Report, said: Words) -> str:
    if report.released_on is None:
        return said.release["frozen"]
    return said.release["released"].format(date=date_text(report.released_on))


def _method(snapshot: Snapshot, report: Report, said: Words, tell: _Teller) -> tuple[str, ...]:
    questionnaire = snapshot.questionnaire
    filled = [
        paragraph.format(
            questionnaire=f"{tell.text(questionnaire.titles, questionnaire.id)} · {print_safe(questionnaire.version)}",
            excluded=snapshot.rate.excluded,
            formula=snapshot.rate.formula_version,
            sha256=print_safe(report.sha256),
        )
        for paragraph in said.method
    ]
    return (*filled, said.method_short) if snapshot.scope is VisitScope.SHORT else tuple(filled)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _of(rate: RateText, said: Words) -> str:
    return said.of.format(n=rate.numerator, m=rate.denominator)


def percent_text(rate: RateText) -> str:
    """A rate as a whole percentage, half up from the exact counts; a dash when nothing was counted."""
    if not rate.denominator:
        return "–"  # noqa: RUF001 - the typographic dash is meant
    return f"{(200 * rate.numerator + rate.denominator) // (2 * rate.denominator)}\u00a0%"


def date_text(moment: str) -> str:
    """An ISO date, or the date of an RFC 3339 time, as dd/mm/yyyy; anything else as it is."""
    try:
        return date.fromisoformat(moment[:10]).strftime("%d/%m/%Y")
    except ValueError:
        return moment


def _joined(names: list[str], language: str) -> str:
    return ("، " if language == "ar" else ", ").join(names)


def _spelt(code: str) -> str:
    return code.replace("_", " ")
