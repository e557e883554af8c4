"""What an answer shows of which factory: the reads that are put on record before any of it is sent.

Refusals show nothing. An answer that says only that a kept copy is current (304), or that leaves out the body (HEAD),
tells the reader that the documents are still there and unchanged: that is put on record as confirmed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from uuid_utils import uuid7

from contracts.answers import DOCUMENT
from contracts.identity import NOTHING_SHARED, Principal
from contracts.reads import Act, Read
from contracts.vocabulary import ReportKind
from gateway.recording import ReadLog, ReadNotRecorded
from gateway.replica import Decision, Guard, Replica
from gateway.routes import PREFIX
from gateway.shaping import Opened
from services.runtime.telemetry import current_trace_id

_DOCUMENT: Final = DOCUMENT.encode()
LISTS: Final[Mapping[str, ReportKind | None]] = {
    f"{PREFIX}changes": None,
    f"{PREFIX}plans": ReportKind.IMPROVEMENT_PLAN,
    f"{PREFIX}reports": None,
}
"""The lists of documents, with the kind of their items where these do not name it themselves."""

SHOWS_NO_REPORT: Final = tuple(
    PREFIX + noun
    for noun in (
        "access-requests",
        "aggregates/",
        "agreements",
        "buyers",
        "disclosures",
        "entitlements",
        "factories",
        "factory-directory",
        "grants",
        "organisations",
        "purchases",
        "questionnaires",
        "statement",
        "terms",
        "terms-acceptances",
        "training/courses",
        "webhooks",
    )
)
"""What a buyer reads that holds nothing of what a factory shares by kind."""

_SHOWING: Final = frozenset({200, 206, 304})
_MOST_DOCUMENTS: Final = 200
"""Of one read; more of them are several."""


class Shown(msgspec.Struct, frozen=True):
    """Documents of one factory."""

    factory_id: str
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    documents: tuple[str, ...]


class _Item(msgspec.Struct):
    factory_id: str
    cycle: int
    id: str = ""
    document_id: str = ""
    kind: ReportKind | None = None
    is_withdrawn: bool = False


class _Page(msgspec.Struct):
    items: list[_Item]


class Reading:
    """Tells what of which factory an answer shows, and puts it on record."""

    def __init__(self, log: ReadLog, replica: Replica) -> None:
        self._log = log
        self._replica = replica

    async def record(
        self, principal: Principal, guard: Guard | None, route: str, answer: Opened, *, is_confirmed: bool
    ) -> None:
        """Return when what an answer to a buyer shows is on record: then, and not before, its guard lets it out.

        ``route`` is the template of the address that was asked for at the service, ``is_confirmed`` says that the
        buyer gets no content. Raises ``ReadNotRecorded``.
        """
        if guard is None or guard.is_on_record:
            return
        found, act = _shown(guard, route, answer)
        act = Act.CONFIRMED if is_confirmed or answer.status == 304 else act
        reads = [self._read(principal, guard.decision, route, shown, act) for shown in found]
        await self._log.record(reads)
        guard.is_on_record = True

    def _read(self, principal: Principal, decision: Decision, route: str, shown: Shown, act: Act) -> Read:
        return Read(
            id=str(uuid7()),
            at=datetime.now(UTC),
            act=act,
            factory_id=shown.factory_id,
            buyer_id=decision.buyer_id,
            subject=_text(principal.subject),
            name=_text(principal.name),
            kinds=shown.kinds,
            cycles=shown.cycles,
            documents=shown.documents,
            route=route,
            epoch=decision.epoch,
            grounds=self._replica.grounds(decision.buyer_id, shown.factory_id, shown.kinds),
            trace_id=current_trace_id(),
        )


def _shown(guard: Guard, route: str, answer: Opened) -> tuple[Sequence[Shown], Act]:
    """What an answer shows of which factory; raises ``ReadNotRecorded`` when that cannot be told."""
    if guard.subject is not None and answer.status in _SHOWING:
        about = guard.subject
        documents = tuple(value.decode("latin-1") for name, value in answer.headers if name == _DOCUMENT)
        cycles = () if about.cycle is None else (about.cycle,)
        return (Shown(about.factory_id, about.kinds, cycles, documents),), Act.READ
    if answer.status not in _SHOWING or route.startswith(SHOWS_NO_REPORT):
        return (), Act.READ
    try:
        page = msgspec.json.decode(answer.head if route in LISTS and answer.is_whole else b"", type=_Page)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReadNotRecorded("What this shows cannot be told, so it is not shown.") from error
    return _by_factory(page.items, guard.decision, LISTS[route]), Act.LISTED


def _by_factory(items: Iterable[_Item], decision: Decision, kind: ReportKind | None) -> list[Shown]:
    """The items of a list by factory, in their order."""
    factories: dict[str, list[_Item]] = {}
    for item in items:
        if not item.is_withdrawn:  # of which nothing is told but that it is gone
            factories.setdefault(item.factory_id, []).append(item)
    return [
        Shown(
            factory_id,
            tuple(sorted({each for item in some for each in _kinds(item, decision, kind)})),
            tuple(sorted({item.cycle for item in some})),
            tuple(item.document_id or item.id for item in some),
        )
        for factory_id, own in factories.items()
        for some in (own[start : start + _MOST_DOCUMENTS] for start in range(0, len(own), _MOST_DOCUMENTS))
    ]


def _kinds(item: _Item, decision: Decision, kind: ReportKind | None) -> tuple[ReportKind, ...]:
    """What an item holds; a listed plan also says how far it is, to whom that is shared."""
    if item.kind is not None:
        return (item.kind,)
    if kind is None:
        raise ReadNotRecorded("What this shows cannot be told, so it is not shown.")
    progress = decision.shares.get(ReportKind.PROGRESS, NOTHING_SHARED)
    is_with_progress = kind is ReportKind.IMPROVEMENT_PLAN and progress.covers(item.factory_id, item.cycle)
    return (kind, ReportKind.PROGRESS) if is_with_progress else (kind,)


def _text(claim: str) -> str:
    """What an issuer says of a person, without the halves of characters that JSON can smuggle in."""
    return claim.encode("utf-8", "replace").decode()
