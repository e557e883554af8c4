"""The demo register: factories and buyers with invented names, from a fixed seed."""

import random
from typing import Any, Final

from contracts.identifiers import derived_id
from deploy.demo.people import BUYERS, COUNTRY, FACTORIES, GROUP, TIME_ZONE, buyer_id, factory_id

SEED: Final = 7
TOWNS: Final = (
    ("Irbid", 32.55, 35.85),
    ("Sahab", 31.87, 36.00),
    ("Ad Dulayl", 32.13, 36.28),
    ("Al Karak", 31.18, 35.70),
    ("Tafilah", 30.84, 35.60),
    ("Zarqa", 32.07, 36.09),
)
FIRST: Final = ("Cedar", "Petra", "Olive", "Desert Rose", "Jasmine", "Falcon", "Amber", "Crescent", "Palm", "Silver")
SECOND: Final = ("Garments", "Apparel", "Knitwear", "Textiles", "Fashion", "Sportswear")
GROUPS: Final = tuple(f"Group {letter}" for letter in "ABCDEFGHIJKLMNO")
BRANDS: Final = (
    "Northwind Outfitters",
    "Blue Harbour",
    "Elm & Oak",
    "Trailhead Sports",
    "Casa Lino",
    "Kestrel",
    "Maison Verte",
    "Plain Goods",
)


def original_id(number: int) -> str:
    """The factory's id in the country's earlier system."""
    return f"F-{number:04}"


def factories(count: int = FACTORIES) -> list[dict[str, Any]]:
    """The registration bodies of the first so many demo factories."""
    chance = random.Random(SEED)  # noqa: S311 - demo data, repeatable on purpose
    return [_factory(number, chance) for number in range(1, count + 1)]


def group() -> dict[str, Any]:
    """The registration body of the manufacturing group that has a user."""
    return {"id": GROUP.party_id, "kind": "group", "name": GROUP.name}


def owned() -> list[str]:
    """The ids of the demo factories that belong to that group."""
    return [each["id"] for each in factories() if each["owner_group"] == GROUP.name]


def buyers() -> list[dict[str, Any]]:
    """The registration bodies of all demo buyers."""
    return [{"id": buyer_id(n), "name": BRANDS[(n - 1) % len(BRANDS)]} for n in range(1, BUYERS + 1)]


def partnerships() -> list[dict[str, Any]]:
    """The bodies by which the demo buyers become partners, who may read what factories grant them."""
    return [
        {
            "id": derived_id("demo", COUNTRY, "partnership", str(n)),
            "buyer_id": buyer_id(n),
            "starts_on": "2023-01-01",
            "reference": f"Partnership agreement {n}",
        }
        for n in range(1, BUYERS + 1)
    ]


def approvals() -> list[tuple[int, int]]:
    """Which demo factory approved which buyer: every factory two of them, so that portfolios differ."""
    return [(n, 1 + (n * step + step) % BUYERS) for n in range(1, FACTORIES + 1) for step in (1, 3)]


def _factory(number: int, chance: random.Random) -> dict[str, Any]:
    town, latitude, longitude = chance.choice(TOWNS)
    return {
        "id": factory_id(number),
        "original_id": original_id(number),
        "name": f"{chance.choice(FIRST)} {chance.choice(SECOND)} {number}",
        "industry": "C14",
        "time_zone": TIME_ZONE,
        "owner_group": chance.choice(GROUPS),
        "address": {
            "lines": "Industrial estate",
            "city": town,
            "latitude": round(latitude + chance.uniform(-0.02, 0.02), 5),
            "longitude": round(longitude + chance.uniform(-0.02, 0.02), 5),
        },
    }
