"""What is sent of a results file is what is in it, cut so that the API takes it."""

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.results_file import LARGEST_PIECE, LONGEST_ROW, ROWS_PER_PIECE, looked_through, pieces
from tests.deploy.country import a_file

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ['"', ",", "\r", "\n", "\r\n", "", "NA", "'=1", "\ufeff", "\0", "مصنع"]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12)


def sent(path: Path) -> list[list[str]]:
    """What the API reads of all pieces, put together."""
    found: list[list[str]] = []
    for piece in pieces(looked_through(path)):
        records = list(csv.reader(io.StringIO(piece.content.decode(), newline=""), strict=True))
        assert piece.first_line + len(records) == piece.next_line
        found += records
    return found


@given(rows=ROWS, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@settings(max_examples=60)
def test_what_is_sent_is_what_was_written(rows: list[list[str]], quoting: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = a_file(Path(folder) / "results.csv", rows, header=["a", "b"], quoting=quoting)
        assert sent(path) == rows


def test_pieces_are_cut_alike_each_time(tmp_path: Path) -> None:
    path = a_file(tmp_path / "results.csv", [[str(n), "x" * (n % 7)] for n in range(3 * ROWS_PER_PIECE + 5)])
    first, second = list(pieces(looked_through(path))), list(pieces(looked_through(path)))
    assert first == second
    assert [piece.next_line - piece.first_line for piece in first] == [*[ROWS_PER_PIECE] * 3, 5]


def test_a_piece_of_long_rows_stays_below_what_the_api_takes(tmp_path: Path) -> None:
    path = a_file(tmp_path / "results.csv", [["\N{GRINNING FACE}" * LONGEST_ROW]] * 40)
    sizes = [len(piece.content) for piece in pieces(looked_through(path))]
    assert len(sizes) > 1
    assert max(sizes) <= 4 * (LARGEST_PIECE + LONGEST_ROW + 2) <= 8 * 1024 * 1024


def test_a_row_too_long_to_be_sent_keeps_its_line(tmp_path: Path) -> None:
    path = a_file(tmp_path / "results.csv", [["a"], ["x" * (LONGEST_ROW + 1)], ["b"]])
    [piece] = pieces(looked_through(path))
    assert [each.line for each in piece.rejected] == [3]
    assert sent(path) == [["a"], [], ["b"]]
