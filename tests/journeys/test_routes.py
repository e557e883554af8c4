"""Every route of the OpenAPI document: who is let in, who is told that there is nothing, and who may do what."""

from collections.abc import Mapping
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from contracts.permissions import PERMISSIONS
from deploy.client import Answer, Client
from services.runtime.http import PROBLEM
from tests.journeys.country import Country, new_id
from tests.journeys.people import PERSON_BY_USER
from tests.journeys.routes import CALLS, DOCUMENT, PUBLIC, Operation, Stage, filled, operations
from tests.journeys.stage import the_stage
from tests.journeys.world import World

pytestmark = pytest.mark.timeout(180)


def over(*wanted: Operation) -> pytest.MarkDecorator:
    """One test per operation."""
    return pytest.mark.parametrize("operation", wanted, ids=" ".join)


GUARDED = [operation for operation in operations() if operation not in PUBLIC]
SINGLE = [operation for operation in GUARDED if "{" in operation[1]]
# A route without a request here is missing in CALLS, which the first test tells.
NOT_FOR_EVERYBODY = [operation for operation in GUARDED if operation not in CALLS or not CALLS[operation].everybody]
NOT_OF_A_FACTORY = frozenset({"buyer_id", "questionnaire_id", "course_id", "import_id", "line_id", "terms_version"})
TAKES_AWAY = frozenset(
    {
        ("DELETE", "/disclosures/{disclosure_id}"),
        ("DELETE", "/entitlements/{entitlement_id}"),
        ("DELETE", "/grants/{grant_id}"),
        ("DELETE", "/webhooks/{webhook_id}"),
        ("POST", "/questionnaires/{questionnaire_id}/retirement"),
    }
)
NO_BODY = {"unknown": True}
_stages: dict[str, Stage] = {}


@pytest.fixture
async def stage(country: Country, world: World) -> Stage:
    """What the routes are tried on; made once per world, because no test here takes anything away from it."""
    if world.url not in _stages:
        _stages[world.url] = await the_stage(country)
    return _stages[world.url]


async def call(client: Client, operation: Operation, ids: Mapping[str, str], *, harmless: bool = False) -> Answer:
    """Send the operation's request, or one whose body is refused."""
    method, template = operation
    known = CALLS[operation]
    path = filled(template, ids) + (f"?{filled(known.query, ids)}" if known.query else "")
    if known.body is not None:
        return await client.call(method, path, NO_BODY if harmless else filled(known.body, ids))
    return await client.call(method, path, data=known.raw and (b"?" if harmless else known.raw))


def test_every_route_of_the_document_has_a_request_here() -> None:
    assert set(operations()) == set(CALLS) | PUBLIC


async def test_the_country_serves_the_document_that_is_committed(country: Country) -> None:
    async with country.session.get(f"{country.world.url}/api/v1/openapi.json") as response:
        assert response.status == 200
        assert await response.json() == DOCUMENT


STRANGE: Final[Mapping[str, Any]] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "HS256": "the public key is no secret, and this is no public key",
}
"""Keys of somebody else, by what they sign with."""


async def forged_tokens(country: Country) -> dict[str, str]:
    """Tokens that look right and are not."""
    token = await country.world.sign_in(country.session)("admin")
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": jwt.get_unverified_header(token)["kid"]}
    signed = {name: jwt.encode(claims, key, algorithm=name, headers=headers) for name, key in STRANGE.items()}
    unsigned = jwt.encode(claims, "", algorithm="none", headers=headers)
    other = "A" if signature[0] != "A" else "B"
    return {**signed, "none": unsigned, "bent": f"{head}.{body}.{other}{signature[1:]}", "noise": "x.y.z", "empty": ""}


@over(*GUARDED)
async def test_nobody_comes_in_without_a_token_that_can_be_believed(
    country: Country, stage: Stage, operation: Operation
) -> None:
    for name, token in (await forged_tokens(country)).items():

        async def forged(_: str, token: str = token) -> str:
            return token

        stranger = Client(country.session, country.world.url, "a stranger", forged)
        answer = await call(stranger, operation, stage.ids)
        assert (name, answer.status) == (name, 401)
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json["code"] == "not_authenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    async with country.session.request(
        operation[0], f"{country.world.url}/api/v1{filled(operation[1], stage.ids)}"
    ) as bare:
        assert bare.status == 401


@over(*SINGLE)
async def test_a_single_thing_that_does_not_exist_is_not_found_by_anybody(
    country: Country, stage: Stage, operation: Operation
) -> None:
    nowhere = dict.fromkeys(stage.ids, new_id())
    for user in ("admin", "advisor-1", "leader", "analyst", stage.factory, stage.buyer):
        answer = await call(country.person(user), operation, nowhere)
        assert (user, answer.status, answer.json["code"]) == (user, 404, "not_found")


@over(*NOT_FOR_EVERYBODY)
async def test_what_is_another_factorys_is_not_found_or_not_listed(
    country: Country, stage: Stage, operation: Operation
) -> None:
    hidden = [value for name, value in stage.ids.items() if name not in NOT_OF_A_FACTORY]
    for user in (stage.other_factory, stage.other_buyer):
        answer = await call(country.person(user), operation, stage.ids)
        if "{" in operation[1]:
            assert (user, answer.status, answer.json["code"]) == (user, 404, "not_found")
            absent = await call(country.person(user), operation, dict.fromkeys(stage.ids, new_id()))
            assert {**answer.json, "trace_id": ""} == {**absent.json, "trace_id": ""}
        else:
            assert answer.status in ({200, 403} if operation[0] == "GET" else {403, 404}), (user, answer.status)
        assert not [each for each in hidden if each.encode() in answer.body]


@over(*GUARDED)
async def test_each_role_may_do_what_the_table_of_permissions_says_and_nothing_else(
    country: Country, stage: Stage, operation: Operation
) -> None:
    permission = CALLS[operation].permission
    # What the act would take away is a spare; a body that is refused after the permission changes nothing at all.
    ids = {**stage.ids, **(stage.spare if operation in TAKES_AWAY else {})}
    for user in ("admin", "advisor-1", "leader", "analyst", stage.factory, stage.buyer):
        answer = await call(country.person(user), operation, ids, harmless=True)
        told = (user, answer.status, answer.body[:300])
        if not any(permission in PERMISSIONS[role] for role in PERSON_BY_USER[user].roles):
            assert answer.status == (404 if "{" in operation[1] else 403), told
        elif operation[0] == "GET":
            assert answer.status == 200, told
        else:
            assert answer.status in {200, 201, 204, 400, 409}, told
