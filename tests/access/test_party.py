"""What a factory and a buyer must look like."""

import msgspec
import pytest

from contracts.errors import Malformed
from services.access.domain.buyer import Buyer
from services.access.domain.identifiers import InvalidIdentifier, UnknownTimeZone
from services.access.domain.party import Address, Factory

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


def lei_with(checks: range) -> set[str]:
    """The first LEI for each pair of check digits that leaves 1 modulo 97, whatever ISO 7064 says of the pair."""
    found: dict[int, str] = {}
    for number in range(1_000):
        base = f"54930000000000{number:04}"
        for check in checks:
            if int(f"{base}{check:02}") % 97 == 1:
                found.setdefault(check, f"{base}{check:02}")
    return set(found.values())


def test_the_check_digits_of_a_lei_are_02_to_98() -> None:
    for text in lei_with(range(2, 99)):
        assert Buyer(id="b1", name="B", lei=text).registered()[0].lei == text
    outside = lei_with(range(2)) | lei_with(range(99, 100))
    assert len(outside) == 3
    for text in outside:
        with pytest.raises(InvalidIdentifier):
            Buyer(id="b1", name="B", lei=text).registered()


@pytest.mark.parametrize("code", ["", "C", "C1", "C14101", "1410", "Z14", "c14", "C１４"])  # noqa: RUF001 - full-width digits are the point
def test_an_industry_is_an_isic_code(code: str) -> None:
    with pytest.raises(InvalidIdentifier):
        changed(industry=code).registered()


@pytest.mark.parametrize(
    "code", ["A01", "B09", "C10", "C14", "C141", "C1410", "C33", "D35", "L68", "T98", "U99", "U9900"]
)
def test_an_industry_has_a_division_of_its_section(code: str) -> None:
    assert changed(industry=code).registered()[0].industry == code


@pytest.mark.parametrize("code", ["C01", "C09", "C34", "A99", "C0000", "U98", "L69", "A04"])
def test_an_industry_with_a_division_of_another_section_is_refused(code: str) -> None:
    with pytest.raises(InvalidIdentifier):
        changed(industry=code).registered()


def test_a_place_has_both_degrees_or_none() -> None:
    with pytest.raises(Malformed):
        changed(address=Address(latitude=31.9)).registered()
