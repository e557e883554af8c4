"""A buyer's directory that speaks SCIM to a running access service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from contracts.identity import Principal, Role
from tests.access.parties import access
from tests.support.services import Running, a_principal, signed

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
DIRECTORY = a_principal(Role.BUYER_PROVISIONER, party_id="b1", subject="directory-1")
NO_GATEWAY_S: Final = 0.02
"""No gateway follows here: the first member waits only for leases that an earlier process might have given."""

OTHER_DIRECTORY = a_principal(Role.BUYER_PROVISIONER, party_id="b2", subject="directory-2")


def ana(**changes: Any) -> dict[str, Any]:
    told = {
        "schemas": [USER],
        "userName": "Ana@buyer.example",
        "externalId": "e-1",
        "displayName": "Ana",
        "name": {"givenName": "Ana", "familyName": "Lim", "formatted": "Ana Lim"},
        "emails": [{"value": "ana@buyer.example", "type": "work", "primary": True}],
        "active": True,
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not ...}


def replaced(**values: Any) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": values}]}


@asynccontextmanager
async def access_with_staff(folder: Path) -> AsyncIterator[Running]:
    """Access that knows its public address, and that no gateway follows."""
    async with access(folder, public_url="https://star.example/", lease_s=NO_GATEWAY_S) as running:
        yield running


class Scim:
    """A directory at the service."""

    def __init__(self, running: Running, caller: Principal = DIRECTORY) -> None:
        self.running = running
        self.caller = caller

    async def __call__(
        self, method: str, path: str, body: object = None, *, params: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"/scim/v2{path}"
        told |= signed(self.caller)
        return await self.running.http.request(method, url, json=body, params=params, headers=told)

    async def created(self, **changes: Any) -> Any:
        answer = await self("POST", "/Users", ana(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()
