"""Signed entries and whole ledgers, made by the real functions."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime

from contracts.ledger import LedgerKey
from contracts.vocabulary import COMPLIANCE_KINDS
from services.access.domain.agreement import Agreement, Side
from services.access.domain.consent.announced import KeyAnnounced
from services.access.domain.consent.entry import Entry
from services.access.domain.consent.facts import Fact, GrantGiven, GrantRevoked
from services.access.domain.consent.fold import Fold
from services.access.domain.grant import Approval, Grant
from services.access.domain.receipt import receipt_of
from services.access.domain.verification import canonical, line_of
from services.runtime.identity import new_signing_key

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
TODAY = date(2026, 3, 10)
KEY = LedgerKey(new_signing_key())
NEXT_KEY = LedgerKey(new_signing_key())
STRANGER = LedgerKey(new_signing_key())
SALT = "5a" * 16


def a_grant(grant_id: str = "g1", **fields: object) -> Grant:
    told = {"id": grant_id, "factory_id": "f1", "buyer_id": "b1", "kinds": COMPLIANCE_KINDS, "starts_on": TODAY}
    return Grant(**{"purpose": "review", **told, **fields})  # type: ignore[arg-type]


def an_agreement(agreement_id: str = "a1", **fields: object) -> Agreement:
    """Of f1 and b1, as the factory proposed it."""
    told = {"id": agreement_id, "factory_id": "f1", "buyer_id": "b1", "kinds": COMPLIANCE_KINDS, "starts_on": TODAY}
    return Agreement(**{"proposed_by": Side.FACTORY, "proposed_at": NOW, **told, **fields})  # type: ignore[arg-type]


def signed_next(fold: Fold, fact: Fact, key: LedgerKey = KEY) -> Entry:
    return fold.next(fact, by="someone", at=NOW, salt=SALT, key=key)


def a_fold(*facts: Fact) -> tuple[Fold, list[Entry]]:
    """A ledger of the announcement of the key and these facts, with its entries."""
    fold, entries = Fold(), []
    for fact in (KeyAnnounced(public_key=KEY.public), *facts):
        entries.append(signed_next(fold, fact))
        fold.apply(entries[-1])
    return fold, entries


def a_rotated_ledger() -> tuple[Fold, list[Entry]]:
    """Two grants, another key, and the revocation of the first grant under it."""
    person = Approval(name="Rana", role="owner")
    fold, entries = a_fold(
        GrantGiven(grant=a_grant(purpose="Näherin 東", approved_by=person)), GrantGiven(grant=a_grant("g2"))
    )
    for fact, key in (
        (KeyAnnounced(public_key=NEXT_KEY.public), KEY),
        (GrantRevoked(record_id="g1", factory_id="f1", buyer_id="b1"), NEXT_KEY),
    ):
        entries.append(signed_next(fold, fact, key))
        fold.apply(entries[-1])
    return fold, entries


def lines_of(entries: list[Entry]) -> list[bytes]:
    """The exported ledger, line by line."""
    return [canonical(line_of(entry)) + b"\n" for entry in entries]


def a_receipt(fold: Fold, grant_id: str = "g1", names: set[str] | None = None) -> bytes:
    """The receipt of a grant, showing these sealed values only."""
    record = fold.record(grant_id)
    assert record is not None
    return canonical(receipt_of([line_of(entry, names) for entry in fold.evidence(record)]))


def a_forged_receipt() -> bytes:
    """A receipt of an approval that nobody gave, signed by ``KEY`` after it was replaced, which is kept quiet about."""
    _, entries = a_rotated_ledger()
    forged = signed_next(Fold(entries[:3]), GrantGiven(grant=a_grant("g3")))
    return canonical(receipt_of([line_of(entries[0]), line_of(forged)]))


def bent_copies(content: bytes) -> Iterator[tuple[str, bytes]]:
    """For every byte a copy in which it alone is another one, and where that is."""
    chance, bent = random.Random(content), bytearray(content)
    for position in range(len(content)):
        mask = chance.randrange(1, 256)
        bent[position] ^= mask
        yield f"byte {position} of {content[max(0, position - 30) : position + 30]!r} ^ {mask}", bytes(bent)
        bent[position] ^= mask
