"""What is in a portfolio: the files of each document, a line about each, the table of them and the manifest."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from contracts.vocabulary import ReportKind
from gateway.columns import safe
from gateway.routes import PREFIX

INDEX: Final = ("path", "document_id", "factory_id", "factory_name", "kind", "cycle")
"""The columns of ``index.csv``."""


class Document(msgspec.Struct, frozen=True):
    """An item of a list of documents; ``kind`` is told by reports only."""

    id: str
    factory_id: str
    cycle: int
    factory_name: str = ""
    kind: ReportKind = ReportKind.IMPROVEMENT_PLAN


class Page(msgspec.Struct):
    """One page of a list of documents."""

    items: list[Document]
    next_cursor: str | None


class _Change(msgspec.Struct):
    document_id: str
    factory_id: str
    cycle: int
    kind: ReportKind
    is_withdrawn: bool


class _Changes(msgspec.Struct):
    items: list[_Change]
    next_cursor: str | None


class Part(msgspec.Struct, frozen=True):
    """One file to be: where it goes, and where it is read."""

    path: str
    target: str
    route: str
    document: Document


class Line(msgspec.Struct, kw_only=True):
    """What the manifest says of a file.

    ``state`` is ``included``, ``withdrawn`` (before its turn, it is not here), ``included_then_withdrawn`` (it is here
    and the buyer may not see it any more) or ``not_available`` (a service did not answer; ask for it by itself).
    """

    path: str
    document_id: str
    factory_id: str
    factory_name: str
    kind: ReportKind
    cycle: int
    state: str
    size: int = 0
    sha256: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The last file of the archive; ``is_complete`` says that no document is missing but those withdrawn."""

    buyer_id: str
    cycle: int | None
    begun_at: datetime
    ended_at: datetime
    epoch_begun: int
    epoch_ended: int
    is_complete: bool
    files: Sequence[Line]


def listed(noun: str, page: bytes) -> Page:
    """What a page of a list names: of the changes the progress of plans; raises ``msgspec.DecodeError``."""
    if noun != "changes":
        return msgspec.json.decode(page, type=Page)
    found = msgspec.json.decode(page, type=_Changes)
    progress = (each for each in found.items if each.kind is ReportKind.PROGRESS and not each.is_withdrawn)
    return Page(
        [Document(each.document_id, each.factory_id, each.cycle, kind=each.kind) for each in progress],
        found.next_cursor,
    )


def files_of(noun: str, document: Document) -> Sequence[Part]:
    """The files of a document: its content, and of a report also the printed one."""
    if document.kind is ReportKind.PROGRESS:
        path = f"plans/{document.factory_id}/cycle-{document.cycle}/progress-{document.id}.json"
        target, route = f"{PREFIX}plans/{document.id}/progress", f"{PREFIX}plans/{{plan_id}}/progress"
        return (Part(path, target, route, document),)
    folder = f"{noun}/{document.factory_id}/cycle-{document.cycle}"
    target, route = f"{PREFIX}{noun}/{document.id}", f"{PREFIX}{noun}/{{{noun[:-1]}_id}}"
    content = Part(f"{folder}/{document.kind}-{document.id}.json", target, route, document)
    if noun != "reports":
        return (content,)
    return content, Part(f"{folder}/{document.kind}-{document.id}.pdf", f"{target}/file", f"{route}/file", document)


def index(lines: Sequence[Line]) -> bytes:
    """The files that are here and may still be seen, as a table."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(INDEX)
    for line in lines:
        if line.state == "included":
            writer.writerow([safe(str(getattr(line, name))) for name in INDEX])
    return text.getvalue().encode()
