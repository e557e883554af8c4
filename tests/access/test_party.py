"""What a factory and a buyer must look like."""

import msgspec
import pytest

from contracts.errors import Malformed
from services.access.domain.party import Address, Buyer, Factory, InvalidIdentifier, UnknownTimeZone

FACTORY = Factory(
    id="f1", original_id="o1", name="Petra Garments", country="JO", industry="C14", time_zone="Asia/Amman"
)


def changed(**fields: object) -> Factory:
    return msgspec.structs.replace(FACTORY, **fields)


def test_a_factory_is_announced_as_it_is_kept() -> None:
    kept, event = changed(owner_group="Levant").registered()
    assert kept == changed(owner_group="Levant")
    assert (event.factory_id, event.owner_group, event.industry) == ("f1", "Levant", "C14")


def test_text_is_kept_in_nfc_without_space_around_it() -> None:
    kept, event = changed(name="  Cafe\u0301 ").registered()
    assert kept.name == event.name == "Caf\u00e9"


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00", "\ud800"])
def test_a_name_is_text(name: str) -> None:
    with pytest.raises(Malformed):
        changed(name=name).registered()


@pytest.mark.parametrize("zone", ["", "Amman", "+03:00", "../etc/passwd", "asia/amman"])
def test_a_time_zone_is_a_name_of_the_iana_database(zone: str) -> None:
    with pytest.raises(UnknownTimeZone):
        changed(time_zone=zone).registered()


@pytest.mark.parametrize("text", ["CN2021250D1DTN7", "CN-2021250-D1DTN-7", "cn 2021250 d1dtn 7"])
def test_an_os_hub_id_is_kept_without_ornament(text: str) -> None:
    assert changed(os_id=text).registered()[0].os_id == "CN2021250D1DTN7"


@pytest.mark.parametrize(
    "text", ["CN2021250D1DTN8", "CN2021250D1DTN77", "2021250D1DTN7CN", "CN2021250D1DTU7", "NC2021250D1DTM7"]
)
def test_a_misspelt_os_hub_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        changed(os_id=text).registered()


def test_a_lei_is_checked_by_its_last_digits() -> None:
    assert Buyer(id="b1", name="B", lei="5493001kjtiigc8y1r12").registered()[0].lei == "5493001KJTIIGC8Y1R12"
    with pytest.raises(InvalidIdentifier):
        Buyer(id="b1", name="B", lei="5493001KJTIIGC8Y1R21").registered()


@pytest.mark.parametrize("code", ["", "C", "C1", "C14101", "1410", "Z14", "c14", "C１４"])  # noqa: RUF001 - full-width digits are the point
def test_an_industry_is_an_isic_code(code: str) -> None:
    with pytest.raises(InvalidIdentifier):
        changed(industry=code).registered()


def test_a_place_has_both_degrees_or_none() -> None:
    with pytest.raises(Malformed):
        changed(address=Address(latitude=31.9)).registered()
