"""Which kind of party an id names among those that are granted something, as documents."""

from enum import StrEnum
from typing import Final

from contracts.errors import Conflict
from services.runtime.documents import Documents, DuplicateKey


class Kind(StrEnum):
    """The parties that factories grant to, each by the collection that holds them."""

    BUYER = "buyers"
    ORGANISATION = "organisations"


class PartyIdTaken(Conflict):
    """A party of another kind has the id: the ledger knows parties by their ids alone, and the two would be one."""

    code = "party_id_taken"


class PartyIds:
    """The ids that are taken, each by one kind for good: who comes second is refused, whichever process it asks."""

    def __init__(self, documents: Documents) -> None:
        self._ids = documents.collection("party_ids")
        self._parties: Final = {kind: documents.collection(kind.value) for kind in Kind}

    async def claim(self, party_id: str, kind: Kind) -> None:
        """Take an id for a kind of party; again changes nothing; raises ``PartyIdTaken``."""
        for other, parties in self._parties.items():
            # An earlier release registered parties without taking their ids.
            if other is not kind and await parties.get(party_id) is not None:
                raise PartyIdTaken("The id is taken by a party of another kind.")
        try:
            await self._ids.insert({"_id": party_id, "version": 1, "kind": kind.value})
        except DuplicateKey:
            present = await self._ids.get(party_id)
            if present is None or present["kind"] != kind.value:
                raise PartyIdTaken("The id is taken by a party of another kind.") from None
