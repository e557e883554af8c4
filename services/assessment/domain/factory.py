"""The card of a factory: what visits and results need to know of it."""

import msgspec


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """A registered factory; ``original_id`` is its id in the country's earlier system, which results use."""

    id: str
    original_id: str
    name: str
    country: str
    industry: str
    time_zone: str
