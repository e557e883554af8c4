"""An id names one party: consents are kept by id, and no organisation reads by those of a buyer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from contracts.errors import Conflict
from services.access.domain.buyer import Buyer
from services.access.domain.organisation import Organisation, OrganisationKind
from services.access.usecases.grants import EVERYWHERE
from tests.access.parties import ADMIN, access
from tests.access.processes import Process, two_on_sqlite
from tests.support.services import Running

BUYERS: Final = "/api/v1/buyers"
ORGANISATIONS: Final = "/api/v1/organisations"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with access(tmp_path) as running:
        yield running


async def test_the_id_of_a_buyer_is_no_organisations_and_the_other_way_round(service: Running) -> None:
    vendor = {"id": "v1", "kind": "vendor", "name": "Vendor"}
    assert [(await service.post(ORGANISATIONS, ADMIN, vendor)).status_code for _ in range(2)] == [201, 201]
    for path, body in ((BUYERS, {"id": "v1", "name": "Vendor"}), (ORGANISATIONS, {**vendor, "id": "b1"})):
        answer = await service.post(path, ADMIN, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "party_id_taken")
    assert (await service.get(f"{BUYERS}/v1", ADMIN)).status_code == 404
    assert (await service.get(f"{ORGANISATIONS}/b1", ADMIN)).status_code == 404


async def test_what_is_refused_for_its_content_takes_no_id(service: Running) -> None:
    assert (await service.post(BUYERS, ADMIN, {"id": "x1", "name": "X", "lei": "x"})).status_code == 400
    body = {"id": "x1", "kind": "agent", "name": "X"}
    assert (await service.post(ORGANISATIONS, ADMIN, body)).status_code == 201


async def test_of_two_that_come_at_once_one_is_registered(tmp_path: Path) -> None:
    async with two_on_sqlite(tmp_path, Process) as (one, other):
        for number in range(6):
            party_id = f"p{number}"
            vendor = Organisation(id=party_id, kind=OrganisationKind.VENDOR, name="Vendor")
            answers = await asyncio.gather(
                one.parties.buyers.register(Buyer(id=party_id, name="Buyer"), request=None),
                other.parties.organisations.register(vendor, request=None),
                return_exceptions=True,
            )
            assert sorted(isinstance(answer, Conflict) for answer in answers) == [False, True]
            found = await one.parties.grantee(party_id)
            assert found.name == ("Vendor" if isinstance(answers[0], Conflict) else "Buyer")


async def test_the_id_of_a_party_of_an_earlier_release_is_taken_as_well(tmp_path: Path) -> None:
    async with two_on_sqlite(tmp_path, Process) as (process, _):
        await process.documents.collection("party_ids").delete("b1")
        vendor = Organisation(id="b1", kind=OrganisationKind.VENDOR, name="Vendor")
        with pytest.raises(Conflict):
            await process.parties.organisations.register(vendor, request=None)
        assert (await process.parties.buyers.get("b1", EVERYWHERE)).name == "b1"
