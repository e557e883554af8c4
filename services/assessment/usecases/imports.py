"""Importing results in the long format: begin, send rows piece by piece, complete; every step may be repeated."""

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from contracts.errors import Conflict, Malformed, NotFound, RuleBroken
from contracts.events import Event
from contracts.identifiers import derived_id
from contracts.identity import Principal, Scope
from services.assessment.domain.factory import Factory
from services.assessment.domain.findings import finalised
from services.assessment.domain.import_rows import Applied, QuestRows, RowReader, new_visit, with_rows
from services.assessment.domain.imports import PATIENCE_MS, Import, Rejection, begun, begun_again
from services.assessment.domain.questionnaire import Questionnaire
from services.assessment.domain.results import unguarded
from services.assessment.domain.stages import VisitStage
from services.assessment.domain.visit import Visit
from services.assessment.store import POLL_S, Factories, Imports, Questionnaires, Visits

AT_ONCE: Final = 16
"""Visits that are written at the same time: the embedded store commits them together."""

ROWS_A_TURN: Final = 1_000
"""Rows read before others get a turn."""

FINALISED_A_CALL: Final = 100
_ORIGINAL_ID, _TQ_NAME = 1, 5


class RowsNotReadable(Malformed):
    """The text is not CSV in UTF-8 with whole records; none of it was imported."""

    code = "rows_not_readable"


class Sources(msgspec.Struct, frozen=True):
    """The stores that an import needs."""

    imports: Imports
    visits: Visits
    questionnaires: Questionnaires
    factories: Factories


class RowsDone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a piece of a file."""

    next_line: int
    imported: int
    unchanged: int
    rejected: list[Rejection]


class RefusedVisit(msgspec.Struct, frozen=True, kw_only=True):
    """An imported visit that cannot be finalised as it stands."""

    visit_id: str
    reason: str


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """How far the completion of an import has come; the client calls again until ``remaining`` is 0."""

    finalised: int
    remaining: int
    refused: list[RefusedVisit]


async def begin_import(
    imports: Imports, file_sha256: str, header: Sequence[str], *, principal: Principal, now: datetime
) -> Import:
    """Begin an import, go on with an unfinished one of the same file, or start a completed one over."""
    import_id = derived_id("import", principal.country, file_sha256)
    new = begun(import_id, file_sha256, header, by=principal.subject, now=now)
    if await imports.create(new):
        return new
    return await imports.change(
        import_id, principal.scope(), lambda present: begun_again(present, by=principal.subject, now=now)
    )


async def import_rows(
    sources: Sources, import_id: str, content: bytes, *, first_line: int, principal: Principal, now: datetime
) -> RowsDone:
    """Import a piece of a file; rows that are there already are unchanged, bad ones are told with their reason."""
    scope = principal.scope()
    present = await sources.imports.get(import_id, scope)
    present.refuse_gap(first_line)
    records = _records(content)
    rejected: list[Rejection] = []
    rows = _ordered(present, records, first_line, rejected)
    factories, waited_ms = await _factories(sources.factories, rows, PATIENCE_MS - present.waited_ms, scope)
    reader = RowReader(
        country=principal.country,
        factories=factories,
        known=await _known(sources.questionnaires, rows, scope),
        by=principal.subject,
        now=now,
    )
    for count, (line, row) in enumerate(rows, start=1):
        reader.read(line, row)
        if count % ROWS_A_TURN == 0:
            await asyncio.sleep(0)
    done = await _write(sources.visits, list(reader.quests.values()), import_id, principal=principal, now=now)
    rejected += [*reader.rejected, *(each for applied in done for each in applied.rejected)]
    rejected.sort(key=lambda each: each.line)
    result = RowsDone(
        next_line=first_line + len(records),
        imported=sum(applied.imported for applied in done),
        unchanged=sum(applied.unchanged for applied in done),
        rejected=rejected,
    )
    return await _checkpoint(sources.imports, import_id, result, waited_ms, scope)


async def _checkpoint(imports: Imports, import_id: str, done: RowsDone, waited_ms: int, scope: Scope) -> RowsDone:
    """Note the progress last: rows whose checkpoint was lost in a crash come again and are unchanged."""
    changed = await imports.change(
        import_id,
        scope,
        lambda present: present.advanced(
            next_line=done.next_line,
            imported=done.imported,
            unchanged=done.unchanged,
            rejected=done.rejected,
            waited_ms=waited_ms,
        ),
    )
    return msgspec.structs.replace(done, next_line=changed.next_line)


async def complete_import(sources: Sources, import_id: str, *, principal: Principal, now: datetime) -> Completed:
    """Submit and finalise imported visits, a bounded number per call; those that cannot be are told with the reason."""
    scope = principal.scope()
    await sources.imports.get(import_id, scope)
    visits = await sources.visits.awaiting(import_id, scope, limit=FINALISED_A_CALL)
    refused: list[RefusedVisit] = []

    async def close(visit: Visit) -> None:
        questionnaire = await sources.questionnaires.frozen(visit.questionnaire_id, scope)
        changed = await sources.visits.change(
            visit.id, scope, lambda latest: _closed(latest, questionnaire, by=principal.subject, now=now)
        )
        if changed.origin is not None and changed.origin.refusal is not None:
            refused.append(RefusedVisit(visit_id=visit.id, reason=changed.origin.refusal))

    for start in range(0, len(visits), AT_ONCE):
        await asyncio.gather(*(close(visit) for visit in visits[start : start + AT_ONCE]))
    remaining = await sources.visits.count_awaiting(import_id, scope)
    if remaining == 0:
        await sources.imports.change(
            import_id, scope, lambda present: msgspec.structs.replace(present, completed_at=now)
        )
    return Completed(finalised=len(visits) - len(refused), remaining=remaining, refused=refused)


def _closed(visit: Visit, questionnaire: Questionnaire, *, by: str, now: datetime) -> tuple[Visit, Sequence[Event]]:
    """The visit submitted and finalised at once, or marked with why it cannot be."""
    if visit.stage is VisitStage.FINALISED:
        return visit, ()
    try:
        closed, event = finalised(visit.moved_to(VisitStage.SUBMITTED), questionnaire, by=by, now=now)
    except RuleBroken as refusal:
        origin = visit.origin and msgspec.structs.replace(visit.origin, refusal=str(refusal))
        return msgspec.structs.replace(visit, origin=origin), ()
    return closed, (event,)


def _records(content: bytes) -> list[list[str]]:
    """The records of a piece of CSV; raises ``RowsNotReadable``."""
    try:
        text = content.decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RowsNotReadable(f"The rows are not CSV in UTF-8: {error}.") from error


def _ordered(
    present: Import, records: list[list[str]], first_line: int, rejected: list[Rejection]
) -> list[tuple[int, list[str]]]:
    """The rows with their line, in the order of the long format; empty ones are passed over."""
    rows: list[tuple[int, list[str]]] = []
    for line, record in enumerate(records, start=first_line):
        if len(record) == present.width:
            rows.append((line, [record[position] for position in present.positions]))
        elif record:
            reason = f"The row has {len(record)} cells; the header has {present.width}."
            rejected.append(Rejection(line=line, reason=reason))
    return rows


async def _known(
    questionnaires: Questionnaires, rows: Sequence[tuple[int, list[str]]], scope: Scope
) -> dict[str, Questionnaire | str]:
    known: dict[str, Questionnaire | str] = {}
    for name in {unguarded(row[_TQ_NAME]) for _, row in rows}:
        found = await questionnaires.named(name, scope)
        if len(found) == 1:
            known[name] = found[0]
        elif found:
            full = ", ".join(sorted(each.full_name for each in found))
            known[name] = f'The TQ name "{name[:200]}" may mean {full}.'
        else:
            known[name] = f'There is no published questionnaire "{name[:200]}".'
    return known


async def _factories(
    factories: Factories, rows: Sequence[tuple[int, list[str]]], patience_ms: int, scope: Scope
) -> tuple[dict[str, Factory | str], int]:
    """The factories that rows name, or why a name means none, and for how many milliseconds they were waited for."""
    wanted = sorted({unguarded(row[_ORIGINAL_ID]) for _, row in rows})
    found = await factories.by_original_id(wanted, scope)
    waited_ms = 0
    while len(found) < len(wanted) and waited_ms < patience_ms:
        await asyncio.sleep(POLL_S)
        waited_ms += round(POLL_S * 1000)
        found |= await factories.by_original_id([name for name in wanted if name not in found], scope)
    return {name: _one(name, found.get(name, [])) for name in wanted}, waited_ms


def _one(original_id: str, found: Sequence[Factory]) -> Factory | str:
    if len(found) == 1:
        return found[0]
    if found:
        return f'Several factories have the original id "{original_id[:64]}".'
    return f'No factory with the original id "{original_id[:64]}" is registered.'


async def _write(
    visits: Visits, groups: Sequence[QuestRows], import_id: str, *, principal: Principal, now: datetime
) -> list[Applied]:
    taken: set[tuple[str, int, str]] = set()
    first: list[QuestRows] = []
    rivals: list[QuestRows] = []
    for group in groups:
        (rivals if group.quest.place in taken else first).append(group)
        taken.add(group.quest.place)
    done: list[Applied] = []
    for start in range(0, len(first), AT_ONCE):
        some = first[start : start + AT_ONCE]
        done += await asyncio.gather(
            *(_write_visit(visits, group, import_id, principal=principal, now=now) for group in some)
        )
    # Of two visits that claim one place the first of the file has it, not the faster one.
    for group in rivals:
        done.append(await _write_visit(visits, group, import_id, principal=principal, now=now))
    return done


async def _write_visit(
    visits: Visits, group: QuestRows, import_id: str, *, principal: Principal, now: datetime
) -> Applied:
    """Lay the rows of one visit over it in one write; the first rows of a visit schedule it."""
    scope, by = principal.scope(), principal.subject
    applied: Applied | None = None

    def lay(present: Visit) -> tuple[Visit, Sequence[Event]]:
        nonlocal applied
        applied = with_rows(present, group, import_id=import_id, by=by)
        return applied.visit, ()

    try:
        await visits.change(group.quest.visit_id, scope, lay)
    except NotFound:
        new = with_rows(new_visit(group.quest, import_id=import_id, by=by, now=now), group, import_id=import_id, by=by)
        try:
            await visits.create(new.visit, request=(import_id, group.line))
        except Conflict:
            other = await visits.at_place(new.visit.place or "", scope)
            if other is None or other.id == new.visit.id:
                raise
            return _all_rejected(group, other)
        return new
    assert applied is not None  # noqa: S101 - change() has called the decision, or raised
    return applied


def _all_rejected(group: QuestRows, other: Visit) -> Applied:
    reason = f"Visit {other.id} has this factory, cycle and questionnaire already."
    return Applied(other, 0, 0, [Rejection(line=given.line or 0, reason=reason) for _, given in group.rows])
