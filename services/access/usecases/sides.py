"""In whose name somebody acts who may hold several roles."""

from contracts.errors import NotFound
from contracts.identity import STAFF, Principal, Role
from contracts.permissions import PERMISSIONS, Permission
from services.access.domain.agreement import Side


def side_of(principal: Principal, permission: Permission, *, factory_id: str, buyer_id: str) -> Side:
    """Which side the caller is on between a factory and a buyer; raises ``NotFound`` for neither."""
    holding = {role for role in principal.roles if permission in PERMISSIONS[role]}
    if Role.FACTORY in holding and principal.party_id == factory_id:
        return Side.FACTORY
    if Role.BUYER in holding and principal.party_id == buyer_id:
        return Side.BUYER
    if holding & STAFF:
        return Side.PROGRAMME
    raise NotFound("There is no such agreement.")
