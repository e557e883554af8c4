"""What an answer shows of which factory, told by the headers of a document or by the items of a list; no I/O.

A service may be wrong about what it lists, and access may have heard of consent before the gateway did: what the
decision does not cover is not shown. Which address shows what stands in four tables, template by template; of an
address in none of them nobody can tell what it shows, so it shows nothing to buyers and groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from contracts.answers import DOCUMENT
from contracts.errors import NOT_THERE, NotFound
from contracts.identity import NOTHING_SHARED
from contracts.reads import Act
from contracts.vocabulary import ReportKind
from gateway.recording import ReadNotRecorded
from gateway.replica import Decision, Subject, Withdrawn
from gateway.routes import PREFIX
from gateway.shaping import Opened

_DOCUMENT: Final = DOCUMENT.encode()


def _at(*templates: str) -> frozenset[str]:
    return frozenset(PREFIX + template for template in templates)


DOCUMENTS: Final = _at("reports/{report_id}", "reports/{report_id}/file", "plans/{plan_id}", "plans/{plan_id}/progress")
"""The documents, of which services say in the headers what they are about."""

LISTS: Final[Mapping[str, ReportKind | None]] = {
    f"{PREFIX}changes": None,
    f"{PREFIX}plans": ReportKind.IMPROVEMENT_PLAN,
    f"{PREFIX}reports": None,
}
"""The lists of documents, with the kind of their items where these do not name it themselves."""

PROFILES: Final = _at("factories", "factories/{factory_id}")
"""Who a factory is: where it stands, who owns it, its numbers in other registers."""

DISCLOSURES: Final = _at("disclosures", "disclosures/{disclosure_id}", "disclosures/{disclosure_id}/receipt")
"""What was disclosed without the factory's consent."""

OF_NO_FACTORY: Final = _at(
    "access-request-answers",
    "access-requests",
    "access-requests/bulk",
    "access-requests/{request_id}",
    "access-requests/{request_id}/acceptance",
    "access-requests/{request_id}/refusal",
    "access-requests/{request_id}/withdrawal",
    "aggregates/compliance-points",
    "agreements",
    "agreements/{agreement_id}",
    "agreements/{agreement_id}/document",
    "agreements/{agreement_id}/renewal",
    "agreements/{agreement_id}/signature",
    "agreements/{agreement_id}/suspension",
    "agreements/{agreement_id}/termination",
    "consent-documents",
    "consent-documents/{document_id}",
    "entitlements",
    "factories/{factory_id}/read-log",
    "factories/{factory_id}/read-log/head",
    "factory-directory",
    "grants",
    "grants/{grant_id}",
    "grants/{grant_id}/receipt",
    "purchases",
    "questionnaires",
    "questionnaires/{questionnaire_id}",
    "questionnaires/{questionnaire_id}/file",
    "reads",
    "statement",
    "terms",
    "terms-acceptances",
    "terms/{terms_version}/document",
    "training/courses",
    "training/courses/{course_id}",
    "training/recommendations",
    "training/recommendations/{recommendation_id}",
    "webhooks",
    "webhooks/{webhook_id}",
    "webhooks/{webhook_id}/enabling",
    "webhooks/{webhook_id}/secret",
)
"""What buyers and groups ask that shows nothing which goes on record: what is public or of no factory, what they have
dealt with the factory itself (requests, agreements, grants, what was paid for), and what a group alone reads."""

_CHANGED: Final = "What was shared with you has just changed; ask again."
_MOST_DOCUMENTS: Final = 200
"""Of one read; more of them are several."""


class Shown(msgspec.Struct, frozen=True):
    """Documents of one factory; without kinds its profile."""

    factory_id: str
    kinds: tuple[ReportKind, ...] = ()
    cycles: tuple[int, ...] = ()
    documents: tuple[str, ...] = ()


class _Item(msgspec.Struct):
    factory_id: str
    cycle: int
    id: str = ""
    document_id: str = ""
    kind: ReportKind | None = None
    is_withdrawn: bool = False


class _Profile(msgspec.Struct):
    id: str


class _Disclosure(msgspec.Struct):
    factory_id: str
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    id: str = ""
    record_id: str = ""


T = TypeVar("T")


class _Page(msgspec.Struct, Generic[T]):
    items: list[T]


def shown(decision: Decision, subject: Subject | None, route: str, answer: Opened) -> tuple[Sequence[Shown], Act]:
    """What an answer shows of which factory; a refusal, or what has no content, shows nothing.

    Raises ``ReadNotRecorded`` when that cannot be told, and ``Withdrawn`` or ``NotFound`` for what the decision does
    not cover.
    """
    if answer.status >= 400 or answer.status == 204:
        return (), Act.READ
    if subject is not None:
        documents = tuple(value.decode("latin-1") for name, value in answer.headers if name == _DOCUMENT)
        cycles = () if subject.cycle is None else (subject.cycle,)
        return (Shown(subject.factory_id, subject.kinds, cycles, documents),), Act.READ
    if route in OF_NO_FACTORY:
        return (), Act.READ
    try:
        return _told(decision, route, answer.head if answer.is_whole else b"")
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReadNotRecorded("What this shows cannot be told, so it is not shown.") from error


def _told(decision: Decision, route: str, content: bytes) -> tuple[Sequence[Shown], Act]:
    """What the content of a list, a profile or a disclosure tells of factories."""
    act = Act.READ if "{" in route else Act.LISTED
    if route in LISTS:
        return _by_factory(_items(route, content, _Item), decision, LISTS[route]), act
    if route in PROFILES:
        return [_profile(each, decision, act) for each in _items(route, content, _Profile)], act
    if route in DISCLOSURES:
        made = _items(route, content, _Disclosure)
        return [Shown(each.factory_id, each.kinds, each.cycles, (each.id or each.record_id,)) for each in made], act
    raise ReadNotRecorded("What this shows cannot be told, so it is not shown.")


def _items(route: str, content: bytes, of: type[T]) -> list[T]:
    """What an address answers: the one thing that it names, or the items of a page."""
    if "{" in route:
        return [msgspec.json.decode(content, type=of)]
    return msgspec.json.decode(content, type=_Page[of]).items  # type: ignore[valid-type]


def _profile(profile: _Profile, decision: Decision, act: Act) -> Shown:
    """The profile of a factory that shares something with the buyer, or is the group's."""
    if not any(shared.covers(profile.id) for shared in decision.shares.values()):
        raise NotFound(NOT_THERE) if act is Act.READ else Withdrawn(_CHANGED)
    return Shown(profile.id)


def _by_factory(items: Iterable[_Item], decision: Decision, kind: ReportKind | None) -> list[Shown]:
    """The items of a list by factory, in their order; raises ``Withdrawn`` for one that is not shared."""
    factories: dict[str, list[tuple[_Item, tuple[ReportKind, ...]]]] = {}
    for item in items:
        if item.is_withdrawn:  # of which nothing is told but that it is gone
            continue
        kinds = _kinds(item, decision, kind)
        if not all(decision.shares.get(each, NOTHING_SHARED).covers(item.factory_id, item.cycle) for each in kinds):
            raise Withdrawn(_CHANGED)
        factories.setdefault(item.factory_id, []).append((item, kinds))
    return [
        Shown(
            factory_id,
            tuple(sorted({each for _, kinds in some for each in kinds})),
            tuple(sorted({item.cycle for item, _ in some})),
            tuple(item.document_id or item.id for item, _ in some),
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
