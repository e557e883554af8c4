"""Released events only gain optional fields: today's schemas against those of the last release in ``released/``."""

from pathlib import Path

import msgspec
import pytest

from contracts.catalogue import CATALOGUE
from contracts.schema import json_schema
from tests.contracts.growth import broken_promises

RELEASED = sorted((Path(__file__).parent / "released").glob("*.schema.json"))


def test_there_is_a_last_release_to_compare_with() -> None:
    assert RELEASED


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.name.removesuffix(".schema.json"))
def test_a_released_event_has_only_grown(path: Path) -> None:
    name = path.name.removesuffix(".schema.json")
    assert name in CATALOGUE, f"{name} was released and is gone: retire it with a new version instead"
    assert broken_promises(msgspec.json.decode(path.read_bytes()), json_schema(CATALOGUE[name].event)) == []
