"""What the ledger says of itself: the keys that sign it, and in which country it is kept."""

from typing import Any, Final

from contracts.access import EntryKind
from services.access.domain.consent.said import Said

COUNTRY: Final = "country"
"""The sealed value that tells whose ledger this is; it stands in every receipt."""


class KeyAnnounced(Said, frozen=True, tag=EntryKind.KEY_ANNOUNCED.value):
    """From here on entries are signed by another key; ``public_key`` is its public half in hex.

    ``country`` (ISO 3166-1 alpha-2) is where the programme works whose ledger this is.
    """

    public_key: str
    country: str = ""

    def shown(self) -> dict[str, Any]:
        """The key."""
        return {"public_key": self.public_key}

    def sealed(self) -> dict[str, str]:
        """The country, which every receipt tells."""
        return {COUNTRY: self.country}
