"""What SCIM refuses, in SCIM's form: nonsense, too much, other people's staff, and who is no directory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.identity import Principal, Role
from services.access.domain import member as domain
from tests.access.directory import DIRECTORY, ERROR, PATCH_OP, USER, Scim, access_with_staff, ana
from tests.access.parties import ADMIN, BUYER
from tests.support.services import Running, a_principal, signed


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with access_with_staff(tmp_path) as found:
        yield found


@pytest.fixture
def scim(running: Running) -> Scim:
    return Scim(running)


NESTED = '{"schemas":' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "/Users", {"schemas": [USER]}, "invalidValue"),
        ("POST", "/Users", ana(userName=""), "invalidValue"),
        ("POST", "/Users", ana(userName="a\u0000b"), "invalidValue"),
        ("POST", "/Users", ana(userName="n" * 300), "invalidValue"),
        ("POST", "/Users", ana(userName=7), "invalidValue"),
        ("POST", "/Users", ana(active="perhaps"), "invalidValue"),
        ("POST", "/Users", ana(emails=[{"value": "no address"}]), "invalidValue"),
        ("POST", "/Users", ana(emails=[{"value": f"a{n}@b.example"} for n in range(11)]), "invalidValue"),
        ("POST", "/Users", [], "invalidSyntax"),
        ("GET", "/Users?filter=userName", None, "invalidFilter"),
        ("GET", '/Users?filter=bogus eq "x"', None, "invalidFilter"),
        ("GET", f"/Users?filter={'(' * 900}", None, "invalidFilter"),
        ("GET", f"/Users?filter={'n' * 1_001}", None, "invalidFilter"),
        ("GET", "/Users?count=many", None, "invalidValue"),
    ],
)
async def test_what_makes_no_sense_is_refused_as_scim_says(
    scim: Scim, method: str, path: str, body: object, kind: str
) -> None:
    answer = await scim(method, path, body)
    told = answer.json()
    assert (answer.status_code, told["status"], told["schemas"]) == (400, "400", [ERROR]), told
    assert answer.headers["content-type"].startswith("application/scim+json")
    assert told["scimType"] == kind, told
    assert (await scim("GET", "/Users")).json()["totalResults"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", NESTED.encode(), b'{"a": "' + b"x" * 300_000 + b'"}'])
async def test_a_body_that_is_no_object_is_refused(running: Running, body: bytes) -> None:
    answer = await running.http.post("/scim/v2/Users", content=body, headers=signed(DIRECTORY))
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidSyntax")


@pytest.mark.parametrize("path", ["id", "meta.version", "schemas"])
async def test_what_the_service_says_cannot_be_written(scim: Scim, path: str) -> None:
    user = await scim.created()
    operation = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": path, "value": "other"}]}
    answer = await scim("PATCH", f"/Users/{user['id']}", operation)
    assert answer.status_code == 400, answer.text
    assert (await scim("GET", f"/Users/{user['id']}")).json() == user


async def test_a_patch_is_applied_whole_or_not_at_all(scim: Scim) -> None:
    user = await scim.created()
    operations = [
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "path": "userName", "value": 7},
    ]
    answer = await scim("PATCH", f"/Users/{user['id']}", {"schemas": [PATCH_OP], "Operations": operations})
    assert answer.status_code == 400
    assert (await scim("GET", f"/Users/{user['id']}")).json() == user


async def test_a_patch_has_an_end(scim: Scim) -> None:
    user = await scim.created()
    many = [{"op": "replace", "path": "displayName", "value": str(number)} for number in range(101)]
    answer = await scim("PATCH", f"/Users/{user['id']}", {"schemas": [PATCH_OP], "Operations": many})
    assert answer.status_code == 400


async def test_a_buyer_keeps_so_many_members_and_no_more(scim: Scim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MOST_MEMBERS", 2)
    await scim.created(userName="a")
    await scim.created(userName="b")
    answer = await scim("POST", "/Users", ana(userName="c"))
    assert (answer.status_code, answer.json()["schemas"]) == (409, [ERROR])


@pytest.mark.parametrize("caller", [ADMIN, BUYER, a_principal(Role.FACTORY, party_id="b1"), a_principal(Role.ANALYST)])
async def test_nobody_but_a_directory_keeps_staff(running: Running, caller: Principal) -> None:
    scim = Scim(running, caller)
    answers = [await scim("GET", "/Users"), await scim("POST", "/Users", ana()), await scim("GET", "/Schemas")]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert answers[0].json()["schemas"] == [ERROR]
    assert (await scim("GET", "/Users/u1")).status_code == 404
    assert (await running.http.get("/scim/v2/Users")).status_code == 401


@pytest.mark.parametrize("party_id", [None, "f1", "unknown"])
async def test_a_directory_of_nobody_keeps_no_staff(running: Running, party_id: str | None) -> None:
    scim = Scim(running, a_principal(Role.BUYER_PROVISIONER, party_id=party_id))
    assert (await scim("POST", "/Users", ana())).status_code == 403


@pytest.mark.parametrize(
    "value",
    [
        '{\\"$ne\\": 1}',
        "' or '1'='1",
        '\\" or userName pr or userName eq \\"',
        "*",
        ".*",
        "%",
        "Ana@buyer.example\\u0000",
    ],
)
@pytest.mark.parametrize("attribute", ["userName", "externalId", "id", "displayName"])
async def test_a_filter_finds_text_and_nothing_else(scim: Scim, attribute: str, value: str) -> None:
    await scim.created()
    answer = await scim("GET", "/Users", params={"filter": f'{attribute} eq "{value}"'})
    assert (answer.status_code, answer.json().get("totalResults")) == (200, 0), answer.text
