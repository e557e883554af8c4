"""The matrix that people read and the table that the code reads say the same."""

from pathlib import Path

import pytest

from contracts.identity import Role
from contracts.permissions import PERMISSIONS, Permission
from tests.journeys.matrix import CELLS, COLUMNS, Cell, NotAMatrix, Outcome, Over, differences, read, write


def test_the_matrix_has_every_role_every_permission_and_every_scope_once_and_nothing_else() -> None:
    assert differences(read()) == []
    assert len(read()) == len(Role) * len(Permission) * len(Over)


def test_a_permission_without_a_row_is_told_with_what_to_do() -> None:
    outcomes = read()
    missing = next(cell for cell in CELLS if cell.permission is Permission.REPORT_READ)
    del outcomes[missing]
    (told,) = differences(outcomes)
    assert f"{missing.role},reporting:report:read,own" in told
    assert "python -m tests.journeys.matrix" in told


@pytest.mark.parametrize("outcome", ["", "perhaps"])
def test_a_row_that_says_nothing_is_told(outcome: str) -> None:
    (told,) = differences({**read(), CELLS[0]: outcome})
    assert "must say one of" in told


def test_a_row_that_gives_what_the_table_does_not_is_told() -> None:
    cell = Cell(Role.BUYER, Permission.REPORT_RELEASE, Over.OTHER)
    assert cell.permission not in PERMISSIONS[cell.role]
    (told,) = differences({**read(), cell: Outcome.ALLOWED})
    assert "does not give the role that permission" in told


def test_a_row_that_refuses_what_the_table_gives_is_told() -> None:
    cell = Cell(Role.FACTORY, Permission.REPORT_READ, Over.OWN)
    (told,) = differences({**read(), cell: Outcome.REFUSED})
    assert "gives the role that permission" in told


@pytest.mark.parametrize(
    "line", ["nobody,reporting:report:read,own,allowed", "buyer,reporting:report:eat,own,allowed", "buyer,x,mine,"]
)
def test_a_row_that_means_nothing_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{line}\n", "utf-8")
    with pytest.raises(NotAMatrix, match=r"matrix.csv:2: "):
        read(path)


def test_a_row_that_is_there_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "matrix.csv"
    line = "buyer,reporting:report:read,own,not applicable\n"
    path.write_text(f"{','.join(COLUMNS)}\n{line}{line}", "utf-8")
    with pytest.raises(NotAMatrix, match="says again"):
        read(path)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write(read(), tmp_path / "matrix.csv")
    assert read(tmp_path / "matrix.csv") == read()
