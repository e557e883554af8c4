"""SCIM as a buyer's directory speaks it: its own staff, every verb, versions and filters."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.access.directory import ERROR, OTHER_DIRECTORY, PATCH_OP, USER, Scim, access_with_staff, ana, replaced
from tests.support.services import Running


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with access_with_staff(tmp_path) as found:
        yield found


@pytest.fixture
def scim(running: Running) -> Scim:
    return Scim(running)


async def test_a_directory_writes_and_reads_a_member(scim: Scim) -> None:
    answer = await scim("POST", "/Users", ana())
    user = answer.json()
    location = f"https://star.example/scim/v2/Users/{user['id']}"
    assert answer.headers["content-type"].startswith("application/scim+json")
    assert (answer.headers["location"], user["meta"]["location"]) == (location, location)
    assert user["meta"]["resourceType"] == "User"
    assert answer.headers["etag"] == user["meta"]["version"]
    assert {name: user[name] for name in ana()} == ana()
    read = await scim("GET", f"/Users/{user['id']}")
    assert (read.status_code, read.json()) == (200, user)


async def test_what_star_has_no_use_for_is_not_kept(scim: Scim) -> None:
    user = await scim.created(password="secret", phoneNumbers=[{"value": "1"}], nickName="A", title="Boss")
    assert user.keys() == {*ana(), "id", "meta"}


async def test_a_member_is_active_unless_told_otherwise(scim: Scim) -> None:
    assert (await scim.created(active=...))["active"] is True
    assert (await scim.created(userName="bo", active=False))["active"] is False


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "replace", "path": "active", "value": False}],
        [{"op": "replace", "value": {"active": False}}],
        [{"op": "Replace", "path": "active", "value": "False"}],
    ],
)
async def test_a_directory_deactivates_in_the_ways_that_directories_do(scim: Scim, operations: object) -> None:
    user = await scim.created()
    answer = await scim("PATCH", f"/Users/{user['id']}", {"schemas": [PATCH_OP], "Operations": operations})
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert answer.headers["etag"] != user["meta"]["version"]
    again = await scim("PATCH", f"/Users/{user['id']}", replaced(active=True))
    assert again.json()["active"] is True


async def test_a_member_is_described_anew_and_loses_what_is_left_out(scim: Scim) -> None:
    user = await scim.created()
    changed = ana(displayName="Anna", emails=..., name=...)
    answer = await scim("PUT", f"/Users/{user['id']}", changed)
    assert answer.status_code == 200
    assert {name: value for name, value in answer.json().items() if name not in {"id", "meta"}} == changed


async def test_parts_of_a_member_are_changed(scim: Scim) -> None:
    user = await scim.created()
    operations = [
        {"op": "add", "path": 'emails[type eq "home"].value', "value": "ana@home.example"},
        {"op": "replace", "path": "name.familyName", "value": "Tan"},
        {"op": "remove", "path": "displayName"},
    ]
    answer = await scim("PATCH", f"/Users/{user['id']}", {"schemas": [PATCH_OP], "Operations": operations})
    found = answer.json()
    assert [email["value"] for email in found["emails"]] == ["ana@buyer.example", "ana@home.example"]
    assert (found["name"]["familyName"], "displayName" in found) == ("Tan", False)


async def test_a_member_is_forgotten(scim: Scim) -> None:
    user = await scim.created()
    assert (await scim("DELETE", f"/Users/{user['id']}")).status_code == 204
    assert (await scim("GET", f"/Users/{user['id']}")).status_code == 404
    assert (await scim("DELETE", f"/Users/{user['id']}")).status_code == 404
    assert (await scim.created())["id"] != user["id"]


@pytest.mark.parametrize("name", ["ana@buyer.example", "ANA@BUYER.EXAMPLE"])
async def test_a_user_name_is_given_once_whatever_its_case(scim: Scim, name: str) -> None:
    await scim.created()
    bo = await scim.created(userName="bo")
    for answer in (
        await scim("POST", "/Users", ana(userName=name)),
        await scim("PATCH", f"/Users/{bo['id']}", replaced(userName=name)),
    ):
        assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    assert (await scim("GET", f"/Users/{bo['id']}")).json()["userName"] == "bo"


async def test_each_buyer_sees_and_touches_its_own_staff_only(scim: Scim, running: Running) -> None:
    user, other = await scim.created(), Scim(running, OTHER_DIRECTORY)
    path = f"/Users/{user['id']}"
    for method, body in (("GET", None), ("PUT", ana()), ("PATCH", replaced(active=False)), ("DELETE", None)):
        answer, absent = await other(method, path, body), await other(method, "/Users/nobody", body)
        assert (answer.status_code, answer.json()) == (404, absent.json()), method
    assert (await other("GET", "/Users")).json()["totalResults"] == 0
    assert (await other("GET", '/Users?filter=userName eq "ana@buyer.example"')).json()["totalResults"] == 0
    assert (await other.created())["userName"] == ana()["userName"]
    assert (await scim("GET", path)).json() == user


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('filter=userName eq "ANA@buyer.example"', ["Ana@buyer.example"]),
        ('filter=externalId eq "e-2"', ["bo"]),
        ('filter=externalId eq "E-2"', []),
        ('filter=active eq false and userName sw "b"', ["bo"]),
        ('filter=emails.value co "@buyer" or userName eq "cy"', ["Ana@buyer.example", "cy"]),
        ("filter=not (userName pr)", []),
        ("count=2", ["Ana@buyer.example", "bo"]),
        ("startIndex=2&count=1", ["bo"]),
        ("startIndex=9", []),
        ("count=0", []),
        ("sortBy=userName&sortOrder=descending", ["cy", "bo", "Ana@buyer.example"]),
    ],
)
async def test_a_directory_finds_its_members(scim: Scim, query: str, names: list[str]) -> None:
    await scim.created()
    await scim.created(userName="bo", externalId="e-2", active=False, emails=...)
    await scim.created(userName="cy", externalId="e-3", emails=...)
    answer = (await scim("GET", f"/Users?{query}")).json()
    assert [user["userName"] for user in answer.get("Resources", [])] == names
    assert answer["itemsPerPage"] == len(names)
    assert answer["totalResults"] == (3 if "filter" not in query else len(names))


async def test_only_what_is_asked_for_is_told(scim: Scim) -> None:
    user = await scim.created()
    for path in (f"/Users/{user['id']}?attributes=userName", "/Users?attributes=userName"):
        told = (await scim("GET", path)).json()
        found = told["Resources"][0] if "Resources" in told else told
        assert found.keys() == {"schemas", "id", "userName"}


async def test_a_change_of_another_version_is_refused(scim: Scim) -> None:
    user = await scim.created()
    path, first = f"/Users/{user['id']}", user["meta"]["version"]
    second = (await scim("PATCH", path, replaced(active=False), if_match=first)).json()["meta"]["version"]
    for method, body in (("PATCH", replaced(active=True)), ("PUT", ana()), ("DELETE", None)):
        answer = await scim(method, path, body, if_match=first)
        assert (answer.status_code, answer.json()["schemas"]) == (412, [ERROR]), method
    assert (await scim("DELETE", path, if_match=second)).status_code == 204


async def test_the_service_describes_itself(scim: Scim) -> None:
    config = (await scim("GET", "/ServiceProviderConfig")).json()
    told = {name: config[name]["supported"] for name in ("patch", "bulk", "filter", "changePassword", "sort", "etag")}
    assert told == {"patch": True, "bulk": False, "filter": True, "changePassword": False, "sort": True, "etag": True}
    types = (await scim("GET", "/ResourceTypes")).json()
    assert [each["id"] for each in types["Resources"]] == ["User"]
    assert (await scim("GET", "/ResourceTypes/User")).json()["endpoint"] == "/Users"
    schema = (await scim("GET", f"/Schemas/{USER}")).json()
    names = [attribute["name"] for attribute in schema["attributes"]]
    assert names == ["userName", "name", "displayName", "active", "emails"]
    assert (await scim("GET", "/Schemas")).json()["Resources"] == [schema]
    assert (await scim("GET", "/ResourceTypes/Group")).status_code == 404


async def test_names_can_be_looked_for_without_showing_them_in_the_address(scim: Scim) -> None:
    user = await scim.created()
    search = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
    body = {"schemas": [search], "filter": 'userName eq "ana@buyer.example"', "attributes": ["userName"]}
    for path in ("/.search", "/Users/.search"):
        answer = await scim("POST", path, body)
        assert answer.status_code == 200, answer.text
        assert [found["id"] for found in answer.json()["Resources"]] == [user["id"]]


async def test_a_description_that_does_not_say_so_makes_nobody_active(scim: Scim) -> None:
    path = f"/Users/{(await scim.created(active=False))['id']}"
    assert (await scim("PUT", path, ana(active=...))).json()["active"] is False
    assert (await scim("PATCH", path, replaced(displayName="A."))).json()["active"] is False
    assert (await scim("PATCH", path, replaced(active=True))).json()["active"] is True
    removed = {"schemas": [PATCH_OP], "Operations": [{"op": "remove", "path": "active"}]}
    assert (await scim("PATCH", path, removed)).json()["active"] is False


async def test_changes_of_different_parts_at_the_same_time_are_all_there(scim: Scim) -> None:
    path = f"/Users/{(await scim.created())['id']}"
    changes = (
        replaced(active=False),
        replaced(userName="anna"),
        replaced(displayName="A."),
        replaced(externalId="e-9"),
    )
    answers = await asyncio.gather(*(scim("PATCH", path, change) for change in changes))
    assert {answer.status_code for answer in answers} == {200}
    user = (await scim("GET", path)).json()
    names = ("active", "userName", "displayName", "externalId")
    assert [user[name] for name in names] == [False, "anna", "A.", "e-9"]
