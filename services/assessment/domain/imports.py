"""An import of a results file: how far it has come, so that a client can go on where it stopped.

Lines are records of the file as a spreadsheet counts them: the header is line 1, the first row of results line 2;
a cell with line breaks does not count further.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from contracts.errors import Malformed, RuleBroken
from services.assessment.domain.results import COLUMNS

FIRST_LINE: Final = 2
MOST_KEPT: Final = 100
"""How many rejections an import remembers; each answer to rows tells all of its own."""

PATIENCE_MS: Final = 5_000
"""How long a whole import may wait for factories whose registration has not arrived yet."""


class HeaderNotUnderstood(Malformed):
    """The file lacks columns of the long format."""

    code = "header_not_understood"


class RowsMissing(RuleBroken):
    """The rows before these have not arrived."""

    code = "rows_missing"


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was not imported; sent again, corrected, in another file it is."""

    line: int
    reason: str


class Import(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The import of one file, named by its SHA-256.

    ``positions`` tell where the columns of the long format stand among the file's ``width`` columns; ``next_line``
    is the checkpoint; the counts are of rows; ``waited_ms`` is what of ``PATIENCE_MS`` was used.
    """

    id: str
    file_sha256: str
    positions: tuple[int, ...]
    width: int
    started_by: str
    started_at: datetime
    next_line: int
    imported: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejections: tuple[Rejection, ...] = ()
    waited_ms: int = 0
    completed_at: datetime | None = None

    def refuse_gap(self, first_line: int) -> None:
        """Refuse rows that skip others; rows that were imported before may come again."""
        if first_line > self.next_line:
            raise RowsMissing(f"Line {self.next_line} comes next; line {first_line} was sent.")

    def advanced(
        self, *, next_line: int, imported: int, unchanged: int, rejected: Sequence[Rejection], waited_ms: int
    ) -> "Import":
        """The import with some more rows dealt with; rows that came again are not counted twice."""
        waited = min(PATIENCE_MS, self.waited_ms + waited_ms)
        if next_line <= self.next_line:
            return replace(self, waited_ms=waited)
        return replace(
            self,
            next_line=next_line,
            imported=self.imported + imported,
            unchanged=self.unchanged + unchanged,
            rejected=self.rejected + len(rejected),
            rejections=(*self.rejections, *rejected)[:MOST_KEPT],
            waited_ms=waited,
        )


def begun(import_id: str, file_sha256: str, header: Sequence[str], *, by: str, now: datetime) -> Import:
    """A new import; raises ``HeaderNotUnderstood``."""
    return Import(
        id=import_id,
        file_sha256=file_sha256,
        positions=_positions(header),
        width=len(header),
        started_by=by,
        started_at=now,
        next_line=FIRST_LINE,
    )


def begun_again(present: Import, *, by: str, now: datetime) -> Import:
    """An unfinished import goes on; a completed one starts over, because what was rejected then may pass now."""
    if present.completed_at is None:
        return present
    return Import(
        id=present.id,
        file_sha256=present.file_sha256,
        positions=present.positions,
        width=present.width,
        started_by=by,
        started_at=now,
        next_line=FIRST_LINE,
    )


def _positions(header: Sequence[str]) -> tuple[int, ...]:
    """Where each column stands, whatever its case; the first cell may carry a byte order mark."""
    names = [name.removeprefix("\ufeff").strip().casefold() for name in header]
    wanted = [column.casefold() for column in COLUMNS]
    missing = [column for column in COLUMNS if names.count(column.casefold()) != 1]
    if missing:
        raise HeaderNotUnderstood(f"The file needs each of these columns once: {', '.join(missing)}.")
    return tuple(names.index(name) for name in wanted)
