"""One entry of the ledger as it is stored, and as everybody may see it."""

from datetime import datetime

import msgspec

from contracts.access import ConsentEntry
from contracts.ledger import Disclosed, LedgerKey, digests, disclosures
from services.access.domain.consent.facts import Fact


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it is stored: what happened, who did it and when, chained to the entry before it.

    ``hash`` and ``signature`` are those of ``followed(entry)``. ``salt`` is secret: it keeps who reads a digest from
    guessing what was sealed.
    """

    epoch: int
    at: datetime
    by: str
    fact: Fact
    previous_hash: str
    salt: str
    hash: str = ""
    key_id: str = ""
    signature: str = ""

    def signed(self, key: LedgerKey) -> "Entry":
        """The entry with its hash and signature."""
        done = key.signed(followed(self))
        return msgspec.structs.replace(self, hash=done.hash, key_id=done.key_id, signature=done.signature)


def followed(entry: Entry) -> ConsentEntry:
    """The entry as everybody may see it."""
    return ConsentEntry(
        epoch=entry.epoch,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        kind=entry.fact.kind,
        at=entry.at,
        sealed=digests(disclosed(entry)),
        key_id=entry.key_id,
        signature=entry.signature,
        **entry.fact.shown(),
    )


def disclosed(entry: Entry) -> dict[str, Disclosed]:
    """What is sealed in an entry: who wrote it, and what of the fact only some readers learn."""
    return disclosures({"by": entry.by, **entry.fact.sealed()}, entry.salt)
