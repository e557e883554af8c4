"""What is sealed in the ledger cannot be found by trying: a gateway that knows a name learns nothing about entries."""

import hashlib
from pathlib import Path
from typing import Any

import rfc8785

from tests.access.parties import FACTORY, GATEWAY, a_grant, access

NAME, PURPOSE = "Rana Haddad", "Sourcing decision"


def digests_that_one_can_try(entry: dict[str, Any]) -> set[str]:
    """Digests of the name and the purpose, alone and with everything public of the entry in the place of the salt."""
    public = ["", *(str(value) for value in entry.values() if isinstance(value, str | int))]
    fields = ("approver_name", "purpose")
    tried = {hashlib.sha256(told.encode()).hexdigest() for told in (NAME, PURPOSE)}
    for salt in public:
        for field, told in zip(fields, (NAME, PURPOSE), strict=True):
            tried.add(hashlib.sha256(rfc8785.dumps([salt, field, told])).hexdigest())
    return tried


async def test_who_knows_a_name_cannot_find_it_among_the_digests(tmp_path: Path) -> None:
    approved = {"approved_by": {"name": NAME, "role": "Owner"}, "purpose": PURPOSE}
    async with access(tmp_path) as running:
        for grant_id in ("g1", "g2"):
            assert (await running.post("/api/v1/grants", FACTORY, a_grant(grant_id, **approved))).status_code == 201
        told = (await running.get("/internal/consent?gateway=g", GATEWAY)).json()["entries"]
    first, second = [entry for entry in told if entry["kind"] == "grant_given"]
    assert first["sealed"].keys() >= {"approver_name", "purpose"}
    assert not set(first["sealed"].values()) & set(second["sealed"].values())
    for entry in (first, second):
        assert not set(entry["sealed"].values()) & digests_that_one_can_try(entry)
    assert NAME not in str(told)
