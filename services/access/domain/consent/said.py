"""What every fact on the ledger has in common."""

from typing import Any

import msgspec

from contracts.access import EntryKind
from contracts.events import Event


class Said(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Something that an entry says."""

    @property
    def kind(self) -> EntryKind:
        """The kind of the entry that says it."""
        return EntryKind(str(self.__struct_config__.tag))

    def shown(self) -> dict[str, Any]:
        """The fields of the ``ConsentEntry`` that everybody may see."""
        raise NotImplementedError

    def sealed(self) -> dict[str, str]:
        """What only some readers learn."""
        return {}

    def event(self, _epoch: int) -> Event | None:
        """The event that leaves with the entry, if any."""
        return None


class About(Said, frozen=True):
    """A fact about a record between a factory and a buyer, or about a buyer alone (``factory_id`` empty)."""

    record_id: str
    buyer_id: str
    factory_id: str = ""
    reason: str = ""

    def shown(self) -> dict[str, Any]:
        """The record and its parties."""
        return {"grant_id": self.record_id, "factory_id": self.factory_id, "buyer_id": self.buyer_id}

    def sealed(self) -> dict[str, str]:
        """The reason."""
        return {"reason": self.reason}
