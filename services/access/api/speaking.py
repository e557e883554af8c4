"""For whom a caller speaks."""

from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from contracts.errors import NotPermitted
from contracts.identity import Principal
from services.access.store.ledger import Ledger
from services.runtime.http import Injected


def own_buyer(principal: Principal) -> str:
    """The buyer for which the caller was let in, and for which the gateway decided; raises ``NotPermitted``."""
    if principal.buyer_id is None:
        raise NotPermitted("Only a buyer has this.")
    return principal.buyer_id


async def principal_of(request: Request[Any, Any, State], ledger: Injected[Ledger]) -> Principal:
    """The caller; who speaks for a manufacturing group with the factories that belong to it just now."""
    principal: Principal = request.scope["state"]["principal"]
    if not principal.group_id:
        return principal
    # Of the ledger: what the gateway has heard that a factory left, no answer made after that may show.
    owned = (await ledger.current()).visible.owned(principal.group_id)
    return msgspec.structs.replace(principal, factories=owned)
