"""Reads a results file in the long format: looked through once before anything is sent, then piece by piece."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

ROWS_PER_PIECE: Final = 4_000
FIRST_ROW_LINE: Final = 2
LONGEST_ROW: Final = 100_000
"""Characters of all cells of a row; the API reads no longer cell than 131,072 characters."""

LONGEST_CELL: Final = 16_000_000
"""Where a quotation mark that was left open is given up, in characters."""

LARGEST_PIECE: Final = 1_500_000
"""Characters after which a piece is full, so that in UTF-8 it stays below the 8 MB that the API takes."""

_WORKBOOK: Final = b"PK\x03\x04"
_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs"}


class UnreadableFile(Exception):
    """The file as a whole is not CSV in UTF-8, or has no header; nothing of it was sent."""


class Rejection(msgspec.Struct, frozen=True):
    """A row that was not imported, by its line in the file (the header is line 1)."""

    line: int
    reason: str


class ResultsFile(msgspec.Struct, frozen=True):
    """A file that can be read to its end: its fingerprint, the cells of its first line and the number of rows."""

    path: Path
    sha256: str
    header: list[str]
    rows: int


class Piece(msgspec.Struct, frozen=True):
    """Some rows as CSV in UTF-8; a row too long to be sent is an empty one here and told in ``rejected``."""

    first_line: int
    next_line: int
    content: bytes
    rejected: list[Rejection]


def looked_through(path: Path) -> ResultsFile:
    """Read the file once from end to end; raises ``UnreadableFile`` saying what to mend. Blocks."""
    with path.open("rb") as file:
        if file.read(len(_WORKBOOK)) == _WORKBOOK:
            raise UnreadableFile(f"{path.name} is a workbook: save its sheet as CSV UTF-8 and import that.")
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = _records(path, file)
        header = next(records, None)
        if not header:
            raise UnreadableFile(f"{path.name} is empty: its first line must name the columns.")
        if len(header) == 1:
            for separator, name in _OTHER_SEPARATORS.items():
                if separator in header[0]:
                    raise UnreadableFile(f"{path.name} separates its columns by {name}: save it with commas.")
        return ResultsFile(path, sha256, header, sum(1 for _ in records))


def pieces(file: ResultsFile) -> Iterator[Piece]:
    """The rows in pieces that are cut alike each time; raises ``UnreadableFile``. Blocks while it reads."""
    with file.path.open(encoding="utf-8-sig", newline="") as opened:
        records = _records(file.path, opened)
        next(records, None)
        line = FIRST_ROW_LINE
        while (piece := _piece(records, line)).next_line > line:
            yield piece
            line = piece.next_line


def _piece(records: Iterator[list[str]], first_line: int) -> Piece:
    text = io.StringIO(newline="")
    write: Callable[[list[str]], Any] = csv.writer(text).writerow
    rejected: list[Rejection] = []
    line = first_line
    while line - first_line < ROWS_PER_PIECE and text.tell() < LARGEST_PIECE:
        row = next(records, None)
        if row is None:
            break
        if (length := sum(map(len, row))) > LONGEST_ROW:
            rejected.append(Rejection(line, f"The row has {length:,} characters; {LONGEST_ROW:,} is the most."))
            row = []
        write(row)
        line += 1
    return Piece(first_line, line, text.getvalue().encode(), rejected)


def _records(path: Path, file: Iterator[str]) -> Iterator[list[str]]:
    """The records of a file; raises ``UnreadableFile`` with the place where it stops being CSV."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(file, strict=True)
    try:
        yield from reader
    except UnicodeDecodeError:
        reason = f'is not UTF-8 near line {reader.line_num + 1}: save it as "CSV UTF-8".'
        raise UnreadableFile(f"{path.name} {reason}") from None
    except csv.Error as error:
        reason = f"is not CSV near line {reader.line_num}: {error} (a quotation mark that is not closed?)."
        raise UnreadableFile(f"{path.name} {reason}") from None
