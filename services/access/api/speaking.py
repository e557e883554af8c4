"""For whom a caller speaks."""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from contracts.errors import NotPermitted
from contracts.identity import Principal, Role
from services.access.store.parties import Factories
from services.access.usecases.grants import EVERYWHERE
from services.runtime.http import Injected


def own_buyer(principal: Principal) -> str:
    """The buyer that the caller speaks for, whatever other roles the caller has; raises ``NotPermitted``."""
    if Role.BUYER not in principal.roles or not principal.party_id:
        raise NotPermitted("Only a buyer has this.")
    return principal.party_id


async def principal_of(request: Request[Any, Any, State], factories: Injected[Factories]) -> Principal:
    """The caller; who speaks for a manufacturing group with the factories that belong to it just now."""
    principal: Principal = request.scope["state"]["principal"]
    if Role.GROUP not in principal.roles or not principal.party_id:
        return principal
    owned = await factories.find_ids_of_group(principal.party_id, EVERYWHERE)
    return msgspec.structs.replace(principal, factories=owned)
