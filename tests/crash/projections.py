"""Every projection against its source: plans, recommendations, reports, results and kept copies, each once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from contracts.identifiers import derived_id
from services.runtime.documents import Document
from tests.crash.expected import Visit
from tests.crash.form import BAD_ANSWER

Documents = Mapping[str, Mapping[str, list[Document]]]


def differences_of_projections(visits: Sequence[Visit], documents: Documents) -> Iterator[str]:
    """What listeners keep and should not, or should and do not."""
    finalised = {visit.id: visit for visit in visits if visit.is_finalised}
    remediation, training, reporting = (documents[name] for name in ("remediation", "training", "reporting"))
    factories = {each["_id"]: each["state"] for each in documents["access"]["factories"]}
    yield from _copies("assessment's factories", documents["assessment"]["factories"], factories)
    yield from _copies("reporting's cards", reporting["cards"], factories)
    published = {each["_id"] for each in documents["assessment"]["questionnaires"]}
    for name, kept in (
        ("finding texts", remediation["finding_texts"]),
        ("questionnaires", reporting["questionnaires"]),
    ):
        yield from _same(f"kept {name}", {each["_id"] for each in kept}, published)
    advice = {each["state"]["visit_id"]: each["state"] for each in training["recommendations"]}
    reports = {each["state"]["visit_id"]: each["state"] for each in reporting["reports"]}
    yield from _one_each("plans", remediation["plans"], finalised)
    yield from _one_each("recommendations", training["recommendations"], finalised)
    yield from _one_each("reports", reporting["reports"], finalised)
    for document in remediation["plans"]:
        state = document["state"]
        visit = finalised.get(state["visit_id"])
        if visit is not None:
            yield from _plan(visit, document, advice.get(visit.id, {}), reports.get(visit.id, {}))
    for visit in finalised.values():
        yield from _report(visit, reports.get(visit.id, {}))
    yield from _results(finalised, reporting["results"])


def _copies(name: str, kept: Iterable[Document], factories: Mapping[str, Any]) -> Iterator[str]:
    present = {each["_id"]: _card(each["state"]) for each in kept}
    yield from _same(name, present, {key: _card(state) for key, state in factories.items()})


def _card(state: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(state[field] for field in ("original_id", "name", "country", "industry", "time_zone"))


def _one_each(name: str, documents: Iterable[Document], visits: Mapping[str, Visit]) -> Iterator[str]:
    counts = Counter(document["state"]["visit_id"] for document in documents)
    yield from _same(f"{name} by visit", counts, Counter(visits.keys()))


def _plan(visit: Visit, document: Document, advice: Mapping[str, Any], report: Mapping[str, Any]) -> Iterator[str]:
    """Lines are the findings with the factory's last word; courses and release are what others announced."""
    state, name = document["state"], f"plan of {visit.id}"
    yield from _same(f"lines of the {name}", [line["id"] for line in state["lines"]], visit.findings())
    said = {line["id"]: (line["reported"], line["action"]) for line in state["lines"]}
    wanted = dict.fromkeys(visit.findings(), ("pending", ""))
    wanted |= {key: (fact.status, fact.action) for key, fact in visit.lines.items()}
    yield from _same(f"words on the {name}", said, wanted)
    courses = [each["course_id"] for each in advice.get("advice", ())]
    yield from _same(f"courses of the {name}", list(state["course_ids"]), courses)
    yield from _same(f"release of the {name}", state["report_released_on"], report.get("released_on"))
    # Opened, each word, and what buyers are told: the release, and of words and courses those that came after it.
    moves = moves_of(visit)
    count = document["sequence"]
    if not 1 + moves + 1 <= count <= 1 + moves + 1 + moves + 1:
        yield f"events of the {name}: {count} with {moves} words"


def moves_of(visit: Visit) -> int:
    """How often a status was reported on the plan of a visit."""
    return sum(1 if fact.status == "in_progress" else 2 for fact in visit.lines.values())


def _report(visit: Visit, state: Mapping[str, Any]) -> Iterator[str]:
    name = f"report of {visit.id}"
    yield from _same(f"id of the {name}", state.get("id"), visit.report_id)
    yield from _same(f"stage of the {name}", state.get("stage"), "released")
    results = state.get("key_results", {})
    yield from _same(f"findings of the {name}", results.get("findings"), len(visit.findings()))


def _results(visits: Mapping[str, Visit], results: Iterable[Document]) -> Iterator[str]:
    """The figures behind the rates: one document per factory and cycle, counting its visit once."""
    present = {document["_id"]: _counts(document["state"]) for document in results}
    wanted = {
        derived_id("result", visit.factory_id, str(visit.cycle)): (visit.id, len(visit.findings()), len(BAD_ANSWER))
        for visit in visits.values()
    }
    yield from _same("results", present, wanted)


def _counts(state: Mapping[str, Any]) -> tuple[str, int, int]:
    """The visit, its findings, and how many questions were judged."""
    points = state["visit"]["points"]
    found = sum(point["non_compliant"] for point in points)
    return state["visit"]["visit_id"], found, found + sum(point["compliant"] for point in points)


def _same(name: str, present: object, wanted: object) -> Iterator[str]:
    if present != wanted:
        yield f"{name}: {present!r} instead of {wanted!r}"[:1_500]
