"""What no directory would send: SCIM requests that are bent, too wide, or meant for another buyer's staff."""

import json
from typing import Any, Final

from tests.journeys.malformed.attack import Attack, Ground, Request

WRONG_DIRECTORY: Final = "wrong directory"
USERS: Final = "/scim/v2/Users"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
MEMBERS: Final[tuple[Any, ...]] = (
    None,
    [],
    {"schemas": []},
    {"schemas": [USER]},
    {"schemas": [USER], "userName": ""},
    {"schemas": [USER], "userName": 7},
    {"schemas": [USER], "userName": "x" * 5_000},
    {"schemas": [USER], "userName": "a\u0000b"},
    {"schemas": [USER], "userName": "a", "active": "perhaps"},
    {"schemas": [USER], "userName": "a", "name": {"formatted": {"$ne": 1}}},
    {"schemas": ["urn:of:nobody"], "userName": "a"},
    {"schemas": [USER], "userName": "a", "emails": [{"value": "x" * 3_000}] * 50},
)
CHANGES: Final[tuple[Any, ...]] = (
    {"schemas": [PATCH], "Operations": []},
    {"schemas": [PATCH], "Operations": [{"op": "destroy", "path": "active"}]},
    {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active[", "value": False}]},
    {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "id", "value": "another"}]},
    {"schemas": [PATCH], "Operations": [{"op": "remove", "path": "userName"}]},
    {"schemas": [PATCH], "Operations": [{"op": "add", "value": "x"}] * 500},
)
FILTERS: Final = (
    "filter=userName+eq",
    "filter=" + "(" * 200,
    "filter=userName+co+%22%00%22",
    "filter=password+pr",
    "filter=userName+eq+%22a%22+or+1+eq+1",
    "count=-1&startIndex=0",
    "count=99999999999999999999",
    "attributes=" + "a," * 500,
    "sortBy=secret&sortOrder=sideways",
)


def wrong_directory(ground: Ground) -> Attack:
    """A request to the staff of a buyer that is not what RFC 7644 says, or comes from who has no staff here."""
    caller, choose = ground.caller(), ground.chance.choice
    member = choose(("nothing", "..%2f..", "x" * 300, "%00", ground.stage.ids["buyer_id"]))
    request = choose(
        (
            Request(method="POST", path=USERS, body=_body(choose(MEMBERS))),
            Request(method="PUT", path=f"{USERS}/{member}", body=_body(choose(MEMBERS))),
            Request(method="PATCH", path=f"{USERS}/{member}", body=_body(choose(CHANGES))),
            Request(method="POST", path=f"{USERS}/.search", body=_body({"schemas": [SEARCH], "filter": "((("})),
            Request(method="GET", path=USERS, query=choose(FILTERS)),
            Request(method="DELETE", path=f"{USERS}/{member}"),
            Request(method="GET", path="/scim/v2/Groups"),
            Request(method="POST", path="/scim/v2/Bulk", body=b"{}"),
        )
    )
    request.headers = [(b"content-type", choose((b"application/scim+json", b"application/json", b"text/plain")))]
    if caller != "nobody":
        request.headers.append(ground.bearer(ground.tokens[caller]))
    return Attack(WRONG_DIRECTORY, caller, request.on_the_wire())


def _body(content: Any) -> bytes:
    return json.dumps(content).encode()
