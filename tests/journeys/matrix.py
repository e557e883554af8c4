"""The matrix of roles, permissions and scopes as a file that people read: ``python -m tests.journeys.matrix``.

The command keeps every row that is still asked for and adds what is missing. It knows which scopes apply, and what a
role without the permission meets. What a role that holds it meets is for a person to write down: that it leaves empty.
"""

import csv
import itertools
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

import contracts
from contracts.identity import Role
from contracts.permissions import PERMISSIONS, Permission
from tests.journeys.routes import DIRECTORY, EVERY_CALL, Operation

FILE: Final = Path(contracts.__file__).parent / "matrix.csv"
COLUMNS: Final = ("role", "permission", "scope", "outcome")
REFERENCE: Final = frozenset({"questionnaire_id", "course_id", "line_id", "terms_version"})
"""What two factories have in common, so that it tells nothing of either."""

OF_A_BUYER: Final = frozenset(
    {"buyer_id", "grant_id", "entitlement_id", "request_id", "agreement_id", "webhook_id", "user_id"}
)
"""What a buyer is a party to itself; everything else that it sees is a factory's."""


WITH_PARTIES: Final = frozenset({Role.FACTORY, Role.BUYER, Role.GROUP})
"""The roles that are tried as somebody who speaks for a party of a stage."""


class Over(StrEnum):
    """Whose thing it is, seen from the caller."""

    OWN = "own"
    """It belongs to the party that the caller speaks for."""
    SHARED = "shared"
    """It belongs to another party, which shares it with the caller."""
    OTHER = "other"
    """It belongs to another party, which shares nothing with the caller, or to the programme."""
    NONE = "none"
    """It does not exist."""
    WHOLE = "whole"
    """No single thing: a list, or a thing that is only being made."""


class Outcome(StrEnum):
    """What the caller meets."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    """As lacking the permission: 403 on a list, 404 on a single thing.

    403 for a role that no person can hold, and for whoever keeps no directory where directories ask.
    """
    NOT_FOUND = "not found"
    """404, as for a thing that does not exist."""
    LISTS_EVERYTHING = "lists everything"
    LISTS_OWN = "lists own"
    LISTS_SHARED = "lists shared"
    NAMES_NOBODY = "names nobody"
    """An answer that names no single party or thing, such as rates."""
    NOT_APPLICABLE = "not applicable"
    """No route asks for this, or nothing stands in this relation to the caller."""
    INTERNAL = "internal"
    """No public route asks for the permission; the gateway passes none of the internal ones on."""


class Cell(msgspec.Struct, frozen=True, order=True):
    """One question that the matrix answers."""

    role: Role
    permission: Permission
    over: Over


CELLS: Final = tuple(itertools.starmap(Cell, itertools.product(Role, Permission, Over)))


def routes_of(permission: Permission) -> list[Operation]:
    """The public routes that ask for a permission."""
    return [operation for operation, call in EVERY_CALL.items() if call.permission is permission]


def applies(role: Role, operation: Operation, over: Over) -> bool:
    """Whether a request of this route can be about a thing that stands in this relation to somebody in the role."""
    names = _ids_in(operation)
    if not names or over is Over.WHOLE:
        return not names and over is Over.WHOLE
    if over is Over.NONE:
        return True
    if EVERY_CALL[operation].everybody or not speaks(role, operation) or set(names) <= REFERENCE:
        return over is Over.OTHER
    return over in {Over.OTHER, Over.SHARED if role is Role.BUYER and names[0] not in OF_A_BUYER else Over.OWN}


def speaks(role: Role, operation: Operation) -> bool:
    """Whether somebody in the role is tried as speaking for a party of a stage: a directory where it may ask at all."""
    return role in WITH_PARTIES or (role is Role.BUYER_PROVISIONER and operation in DIRECTORY)


def _ids_in(operation: Operation) -> list[str]:
    """The names of the things that a request is about, the one that it is about most first."""
    call = EVERY_CALL[operation]
    texts = [operation[1], *(value for value in (call.body or {}).values() if isinstance(value, str)), call.query]
    return [part.partition("}")[0] for text in texts for part in text.split("{")[1:]]


class NotAMatrix(Exception):
    """The file cannot be read as a matrix."""


def read(path: Path = FILE) -> dict[Cell, str]:
    """The outcomes as they are written; raises ``NotAMatrix`` with the line."""
    found: dict[Cell, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise NotAMatrix(f"the first line of {path.name} must be {','.join(COLUMNS)}")
        for number, row in enumerate(rows, start=2):
            try:
                cell = Cell(Role(row["role"]), Permission(row["permission"]), Over(row["scope"]))
            except ValueError as error:
                raise NotAMatrix(f"{path.name}:{number}: {error}; python -m tests.journeys.matrix drops it") from error
            if cell in found:
                raise NotAMatrix(f"{path.name}:{number}: {','.join(row.values())} says again what was said before")
            found[cell] = row["outcome"]
    return found


def write(outcomes: Mapping[Cell, str], path: Path = FILE) -> None:
    """Write every cell in the order of roles, permissions and scopes; what has no outcome stays empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for cell in CELLS:
            rows.writerow((cell.role, cell.permission, cell.over, outcomes.get(cell, "")))


def differences(outcomes: Mapping[Cell, str]) -> list[str]:
    """Where the file and the table of permissions do not agree, each as a sentence that says what to do."""
    found: list[str] = []
    for cell in CELLS:
        name, outcome = f"{cell.role},{cell.permission},{cell.over}", outcomes.get(cell, "")
        is_held = cell.permission in PERMISSIONS[cell.role]
        if cell not in outcomes:
            found.append(f"{name} has no row: run python -m tests.journeys.matrix, then write its outcome down")
        elif outcome not in set(Outcome):
            found.append(f"{name} must say one of {', '.join(Outcome)}, not {outcome!r}")
        elif not is_held and outcome not in {Outcome.REFUSED, Outcome.NOT_APPLICABLE, Outcome.INTERNAL}:
            found.append(
                f"{name} says {outcome!r}, but contracts/permissions.py does not give the role that permission"
            )
        elif is_held and outcome == Outcome.REFUSED:
            found.append(f"{name} says {outcome!r}, but contracts/permissions.py gives the role that permission")
    return found


def completed() -> dict[Cell, str]:
    """What follows from the routes and the table of permissions, and where that leaves a choice what the file says."""
    said: dict[tuple[str, str, str], str] = {}
    if FILE.exists():
        with FILE.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["outcome"] not in _FOLLOWING]
        said = {(row["role"], row["permission"], row["scope"]): row["outcome"] for row in rows}
    return {cell: _follows(cell) or said.get((cell.role, cell.permission, cell.over), "") for cell in CELLS}


_FOLLOWING: Final = frozenset({Outcome.REFUSED, Outcome.INTERNAL, Outcome.NOT_APPLICABLE})
"""What nobody decides: it follows."""


def _follows(cell: Cell) -> str:
    """The outcome that leaves no choice, or nothing."""
    operations = routes_of(cell.permission)
    if not operations:
        return Outcome.INTERNAL
    if not any(applies(cell.role, operation, cell.over) for operation in operations):
        return Outcome.NOT_APPLICABLE
    return Outcome.REFUSED if cell.permission not in PERMISSIONS[cell.role] else ""


if __name__ == "__main__":
    outcomes = completed()
    write(outcomes)
    empty = sum(not outcome for outcome in outcomes.values())
    print(f"{FILE}: {len(outcomes)} rows, {empty} of them without an outcome")  # noqa: T201 - a command speaks
