"""Every cell of the matrix of roles, permissions and scopes is tried through the gateway, on every route of it."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import msgspec
import pytest

from contracts.identity import ASSIGNABLE, Role
from contracts.permissions import PERMISSIONS, Permission
from deploy.client import Answer, Client
from gateway.routes import _OF_DIRECTORIES
from tests.journeys.country import Country, country_of, new_id
from tests.journeys.matrix import REFERENCE, Cell, Outcome, Over, applies, read, routes_of, speaks
from tests.journeys.people import ONLY
from tests.journeys.routes import DIRECTORY, EVERY_CALL, SCIM, Call, Operation, Stage, filled
from tests.journeys.stage import the_stage
from tests.journeys.world import World, embedded_world

pytestmark = pytest.mark.timeout(180)

STAFF: Final = {
    Role.ADMINISTRATOR: "admin",
    Role.ADVISOR: "advisor-1",
    Role.TEAM_LEADER: "leader",
    Role.ANALYST: "analyst",
}
TAKES_AWAY: Final = frozenset(
    {
        ("DELETE", "/disclosures/{disclosure_id}"),
        ("DELETE", "/entitlements/{entitlement_id}"),
        ("DELETE", "/grants/{grant_id}"),
        ("DELETE", "/webhooks/{webhook_id}"),
        ("POST", "/questionnaires/{questionnaire_id}/retirement"),
        ("DELETE", f"{SCIM}/Users/{{user_id}}"),
    }
)
NO_BODY: Final = {"unknown": True}
DONE: Final = frozenset({200, 201, 202, 204})
LISTED: Final = (Outcome.LISTS_EVERYTHING, Outcome.LISTS_OWN, Outcome.LISTS_SHARED)
NOTHING_MORE: Final = frozenset({"not_found", "not_permitted"})
SCIM_ERROR: Final = ["urn:ietf:params:scim:api:messages:2.0:Error"]
DESCRIBING: Final = frozenset(operation for operation in DIRECTORY if "Users" not in operation[1])
"""They tell what a directory may ask, and nothing of anybody's staff."""
REFUSED_FOR_ITS_CONTENT: Final = frozenset({400, 409})
_stages: list[Stage] = []


class Scene(msgspec.Struct, frozen=True):
    """A country with everything about two factories; a buyer of the first sees nothing of the second."""

    country: Country
    one: Stage
    other: Stage

    def user(self, role: Role) -> str:
        """Somebody who holds this role and no other."""
        parties = {
            Role.FACTORY: self.one.factory,
            Role.BUYER: self.one.buyer,
            Role.BUYER_PROVISIONER: self.one.directory,
            Role.GROUP: self.one.group,
        }
        return {**STAFF, **parties}.get(role) or ONLY[role].user


@pytest.fixture(scope="module")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A country of its own: whole lists are read, and what is allowed is done."""
    with embedded_world(tmp_path_factory.mktemp("matrix")) as world:
        yield world


@pytest.fixture
async def scene(whole_world: World) -> AsyncIterator[Scene]:
    """The country with its two stages, which are set by the first test."""
    async with country_of(whole_world) as country:
        if not _stages:
            _stages.extend([await the_stage(country), await the_stage(country)])
        yield Scene(country, *_stages)


def ids_for(scene: Scene, role: Role, operation: Operation, over: Over) -> Mapping[str, str]:
    """The things of a request in a scope."""
    if over in {Over.WHOLE, Over.NONE}:
        return dict.fromkeys(scene.one.ids, new_id())
    return scene.other.ids if over is Over.OTHER and speaks(role, operation) else scene.one.ids


async def send(client: Client, operation: Operation, ids: Mapping[str, str], *, is_harmless: bool) -> Answer:
    """Send the request of a route, or one that is refused for its content after everything else was looked at."""
    method, template = operation
    call: Call = EVERY_CALL[operation]
    path = filled(template, ids) + (f"?{filled(call.query, ids)}" if call.query else "")
    if call.body is not None:
        return await client.call(method, path, NO_BODY if is_harmless else filled(call.body, ids))
    return await client.call(method, path, data=call.raw and (b"?" if is_harmless else call.raw))


def is_a_page(answer: Answer) -> bool:
    return answer.headers["content-type"] == "application/json" and "next_cursor" in answer.json


def is_a_list(operation: Operation) -> bool:
    """Whether a route lists things; what describes the directory's own API lists nobody's."""
    return operation[1].endswith("/.search") or (operation[0] == "GET" and operation not in DESCRIBING)


async def everything_on(client: Client, operation: Operation) -> tuple[Answer, bytes]:
    """A list: the answer with its last page, and all its pages."""
    path = operation[1]
    if operation[0] == "POST":
        answer = await send(client, operation, {}, is_harmless=False)
        return answer, answer.body
    separator, content = "&" if "?" in path else "?", b""
    answer = await client.call("GET", path)
    while answer.status == 200 and is_a_page(answer) and answer.json["next_cursor"]:
        content += answer.body
        answer = await client.call("GET", f"{path}{separator}cursor={answer.json['next_cursor']}")
    return answer, content + answer.body


def named(stage: Stage, content: bytes, *, is_reference: bool) -> bool:
    """Whether a body names anything of a stage."""
    names = set(stage.ids) - (set() if is_reference else REFERENCE)
    return any(stage.ids[name].encode() in content for name in names)


def outcome_of_list(scene: Scene, operation: Operation, content: bytes) -> set[Outcome]:
    """What a list amounts to; of one party's things it cannot be seen whether they are its own or shared with it."""
    is_reference = EVERY_CALL[operation].everybody
    shown = tuple(named(stage, content, is_reference=is_reference) for stage in (scene.one, scene.other))
    if shown == (True, True):
        return {Outcome.LISTS_EVERYTHING}
    if shown == (True, False):
        return {Outcome.LISTS_OWN, Outcome.LISTS_SHARED}
    return {Outcome.NAMES_NOBODY} if shown == (False, False) else set()


async def met(scene: Scene, cell: Cell, operation: Operation, expected: str) -> set[Outcome] | None:
    """What the role meets on one route in this scope, ``None`` when the scope does not apply to the route."""
    if not applies(cell.role, operation, cell.over):
        return None
    ids = ids_for(scene, cell.role, operation, cell.over)
    client = scene.country.person(scene.user(cell.role))
    if cell.over is Over.WHOLE and is_a_list(operation):
        answer, content = await everything_on(client, operation)
        if answer.status == 200:
            return outcome_of_list(scene, operation, content)
    else:
        # What would be taken away is a spare; where a refusal is expected, the request is whole, and nothing but the
        # refusal keeps it from being done.
        is_harmless = expected in {Outcome.ALLOWED, *LISTED}
        if operation in TAKES_AWAY and is_harmless:
            ids = {**ids, **scene.one.spare}
        answer = await send(client, operation, ids, is_harmless=is_harmless)
        if answer.status in (DONE if operation[0] == "GET" else DONE | REFUSED_FOR_ITS_CONTENT):
            # Where there is a list as well, the row says what the list shows.
            has_list = ("GET", operation[1]) in routes_of(cell.permission)
            return set(LISTED) if has_list and cell.over is Over.WHOLE else {Outcome.ALLOWED}
    is_single = "{" in operation[1] and operation not in DIRECTORY
    found: set[Outcome] = set()
    # A role that nobody can hold is no role at all, nor is any but one where directories ask, which is told before
    # anything is looked at.
    if answer.status == (404 if is_single and cell.role in ASSIGNABLE else 403):
        found.add(Outcome.REFUSED)
    if answer.status == 404 and cell.permission in PERMISSIONS[cell.role]:
        found = {Outcome.NOT_FOUND}
    said = answer.json["schemas"] == SCIM_ERROR if operation in DIRECTORY else answer.json["code"] in NOTHING_MORE
    assert said, (operation, answer.status, answer.body[:300])
    return found


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
async def test_each_role_meets_what_the_matrix_says(scene: Scene, role: Role, permission: Permission) -> None:
    matrix, operations = read(), routes_of(permission)
    for over in Over:
        cell = Cell(role, permission, over)
        expected = matrix[cell]
        seen = {operation: await met(scene, cell, operation, expected) for operation in operations}
        tried = {operation: outcomes for operation, outcomes in seen.items() if outcomes is not None}
        if not operations:
            assert expected == Outcome.INTERNAL, f"{cell}: no public route asks for this permission"
        elif not tried:
            assert expected == Outcome.NOT_APPLICABLE, f"{cell}: nothing to try, so it says {Outcome.NOT_APPLICABLE}"
        for operation, outcomes in tried.items():
            assert expected in outcomes, f"{cell} says {expected!r}, but {operation} answers as {outcomes}"


def test_whatever_a_directory_may_ask_is_tried() -> None:
    known = {(method, path) for path, methods in _OF_DIRECTORIES.items() for method in methods}
    assert {(method, path.removeprefix("/../..")) for method, path in DIRECTORY} == known


async def test_what_is_internal_is_passed_on_for_nobody(scene: Scene) -> None:
    for role in Role:
        answer = await scene.country.person(scene.user(role)).call("GET", "/../../internal/consent?gateway=x")
        assert (role, answer.status) == (role, 404)
