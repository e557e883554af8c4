"""Compares a country that has come to rest with what its journal says, and names every difference."""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.access import EntryKind
from contracts.remediation import LineReportedV1
from services.access.domain.consent.entry import Entry
from services.access.domain.consent.fold import Fold, LedgerBroken
from services.runtime.documents import Document
from services.runtime.files import FileMissing
from tests.crash import expected
from tests.crash.expected import Visit
from tests.crash.journal import BuyerRegistered, FactoryRegistered, Journal
from tests.crash.persistence import Line
from tests.crash.projections import differences_of_projections, moves_of
from tests.crash.stores import Documents, Observer, Stores
from tests.support.eventually import eventually

Differences = Iterable[str]
REST_S: Final = 120.0
ACTS: Final = (EntryKind.GRANT_GIVEN, EntryKind.GRANT_REVOKED)


async def settled(stores: Stores, *, within_s: float = REST_S) -> None:
    """Wait until nothing is on its way any more: outboxes and queues empty. Parked messages are never right."""

    async def at_rest() -> bool:
        parked = await stores.parked()
        if parked:
            raise RuntimeError(f"{len(parked)} messages are parked: {parked[:5]}")
        waiting, queued = await stores.waiting(), await stores.queued()
        assert not waiting, f"outboxes {waiting}, queues {queued}"
        assert not queued, f"queues {queued}"
        return True

    await eventually(at_rest, within_s=within_s, saying="empty outboxes and queues")


async def judge(journal: Journal, stores: Stores, line: Line, observer: Observer | None = None) -> list[str]:
    """Every difference between journal and country, once it rests; an empty list is the verdict one hopes for."""
    deadline = time.monotonic() + REST_S
    while True:
        await settled(stores)
        documents = {name: await stores.all(name) for name in ("access", "assessment", "remediation")}
        documents |= {name: await stores.all(name) for name in ("training", "reporting")}
        found = list(differences_of_stores(journal, documents))
        # What is handed out and not yet acknowledged is on no list: it has until the deadline to show.
        if not found or time.monotonic() > deadline:
            break
    found += await _differences_of_files(journal, stores, documents)
    found += await _differences_at_the_door(journal, line)
    if observer is not None:
        heard = await observer.heard()
        journal.events, journal.repeated_events = len(heard), len(heard) - len({event["id"] for event in heard})
        found += _differences_of_events(documents, heard)
        found += _differences_of_words(expected.visits(journal), documents, heard)
    return [*journal.faults, *found]


def differences_of_stores(journal: Journal, documents: dict[str, Documents]) -> Differences:
    """What the databases hold and should not, or should and do not."""
    visits = expected.visits(journal)
    access, assessment = documents["access"], documents["assessment"]
    yield from _same("factories", _ids(access["factories"]), {f.factory_id for f in journal.of(FactoryRegistered)})
    yield from _same("buyers", _ids(access["buyers"]), {f.buyer_id for f in journal.of(BuyerRegistered)})
    yield from _differences_of_the_ledger(journal, access["ledger"])
    yield from _same("visits", _ids(assessment["visits"]), set(visits))
    for document in assessment["visits"]:
        if document["_id"] in visits:
            yield from _differences_of_a_visit(visits[document["_id"]], document)
    yield from differences_of_projections(list(visits.values()), documents)


def _differences_of_the_ledger(journal: Journal, ledger: Sequence[Document]) -> Differences:
    """The chain must be whole, every act be on it once, and the fold be what was acknowledged last."""
    fold = Fold()
    try:
        for document in sorted(ledger, key=lambda each: str(each["_id"])):
            fold.apply(msgspec.convert(document["state"], Entry))
    except LedgerBroken as error:
        yield f"the consent ledger is broken: {error}"
        return
    acts = expected.grants(journal)
    count = len(acts) + sum(not is_given for is_given in acts.values())
    entries = [each for each in ledger if each["state"]["fact"]["kind"] in {kind.value for kind in ACTS}]
    yield from _same("acts on the ledger", len(entries), count)
    present = {record.grant.id: record.ended_epoch is None for record in fold.records()}
    yield from _same("grants in force", present, acts)


def _differences_of_a_visit(visit: Visit, document: Document) -> Differences:
    state = document["state"]
    name = f"visit {visit.id}"
    yield from _same(f"stage of {name}", state["stage"], "finalised" if visit.is_finalised else state["stage"])
    given = {
        question: {each["by"]: each["value"] for each in answers} for question, answers in state["answers"].items()
    }
    said = {question: {by: each.value for by, each in by_whom.items()} for question, by_whom in visit.answers.items()}
    yield from _same(f"answers of {name}", given, said)
    yield from _same(f"evidence of {name}", {e["id"]: e["sha256"] for e in state["evidence"]}, visit.evidence)
    yield from _same(f"events of {name}", document["sequence"], int(visit.is_finalised))


async def _differences_of_files(journal: Journal, stores: Stores, documents: dict[str, Documents]) -> list[str]:
    """Every file that a document names is there with its bytes.

    A crash between file and document leaves a file too many, which is counted, and never one too few.
    """
    wanted = {
        ("assessment", f"visits/{visit['_id']}/{evidence['id']}"): evidence["sha256"]
        for visit in documents["assessment"]["visits"]
        for evidence in visit["state"].get("evidence", [])
    }
    for report in documents["reporting"]["reports"]:
        sha256 = report["state"]["sha256"]
        wanted["reporting", f"snapshots/{report['_id']}/{sha256}.json"] = sha256
    kept = {("assessment", key) async for key in stores.files("assessment").list("visits/")}
    journal.files_too_many = len(kept - wanted.keys())
    found = []
    for (service, key), sha256 in wanted.items():
        try:
            content = b"".join([chunk async for chunk in stores.files(service).stream(key)])
        except FileMissing:
            found.append(f"{service} lost the file {key}")
            continue
        if hashlib.sha256(content).hexdigest() != sha256:
            found.append(f"{service} holds other bytes under {key}")
        elif service == "reporting":
            found += _differences_of_a_snapshot(content, documents["assessment"]["visits"])
    return found


def _differences_of_a_snapshot(content: bytes, visits: Iterable[Document]) -> list[str]:
    """A report speaks of the finalisation that stands, not of one that was announced and never stored."""
    snapshot = msgspec.json.decode(content)
    stored = {visit["_id"]: visit["state"] for visit in visits}.get(snapshot["visit_id"], {})
    told, stands = (datetime.fromisoformat(each["finalised_at"]) for each in (snapshot, stored))
    return _same(f"finalisation in the report of {snapshot['visit_id']}", told, stands)


async def _differences_at_the_door(journal: Journal, line: Line) -> list[str]:
    """What people read through the gateway once everything is at rest."""
    found: list[str] = []
    for visit in expected.visits(journal).values():
        answer = await line.expect(200, "leader", "GET", f"/visits/{visit.id}/findings")
        found += _same(f"findings of {visit.id}", [each["question_id"] for each in answer["items"]], visit.findings())
        page = await line.expect(200, "leader", "GET", f"/reports?factory_id={visit.factory_id}&cycle={visit.cycle}")
        reports = [(item["id"], item["stage"]) for item in page["items"]]
        found += _same(f"reports of {visit.id}", reports, [(visit.report_id, "released")])
    return found


def _differences_of_words(
    visits: Mapping[str, Visit], documents: dict[str, Documents], heard: Sequence[dict[str, Any]]
) -> list[str]:
    """Each word of a factory about its plan was announced, once."""
    announced = Counter(
        subject for subject, _ in {(e["subject"], e["id"]) for e in heard if e["type"] == LineReportedV1.type}
    )
    return [
        difference
        for plan in documents["remediation"]["plans"]
        if (visit := visits.get(plan["state"]["visit_id"])) is not None
        for difference in _same(f"words announced of the plan of {visit.id}", announced[plan["_id"]], moves_of(visit))
    ]


def _differences_of_events(documents: dict[str, Documents], heard: Sequence[dict[str, Any]]) -> list[str]:
    """Per aggregate the published sequence has no hole and no end missing, and a number is one event."""
    published: dict[tuple[str, str], dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for event in heard:
        service = event["source"].rpartition("/")[2]
        published[service, event["subject"]][int(event["sequence"])].add(event["id"])
    found: list[str] = []
    for service, collections in documents.items():
        for collection, stored in collections.items():
            for document in stored:
                if not document["sequence"]:
                    continue
                numbers = published.get((service, document["_id"]), {})
                name = f"events of {service} {collection} {document['_id']}"
                found += _same(name, sorted(numbers), list(range(1, document["sequence"] + 1)))
                found += [f"{name}: number {n} is {len(ids)} events" for n, ids in numbers.items() if len(ids) > 1]
    return found


def _ids(documents: Iterable[Document]) -> set[str]:
    return {document["_id"] for document in documents}


def _same(name: str, present: object, wanted: object) -> list[str]:
    return [] if present == wanted else [f"{name}: {present!r} instead of {wanted!r}"[:1_500]]
