"""Receipts of disclosures, which prove offline what was shown without consent, to whom, when and until when.

A disclosure is no consent, so its receipt is not one of ISO/IEC TS 27560: ``lawful_basis`` is the zero-tolerance
protocol. The proof is the same: the signed entries of the ledger with every announcement of a key before them.
Everything outside of ``proof`` follows from it, and the bytes are canonical JSON (RFC 8785).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from contracts.access import EntryKind
from contracts.ledger import NotGenuine
from contracts.vocabulary import ReportKind
from services.access.domain.consent.announced import COUNTRY
from services.access.domain.disclosure import record_id
from services.access.domain.receipt import LANGUAGE, Proof, programme_of, proof_of, proven, told
from services.access.domain.verification import Line

SCHEMA_VERSION: Final = "star.disclosure-receipt.1"
LAWFUL_BASIS: Final = "zero_tolerance_protocol"
TOLD_TO_FACTORY: Final = frozenset({COUNTRY, "disclosure_id", "reason", "requested_as", "confirmed_as"})
"""What of the sealed values the factory learns: no person, and not the reference of the case."""
TOLD_TO_BUYER: Final = frozenset({COUNTRY, "disclosure_id"})
"""What of them a buyer learns: which disclosure it is; why, and who decided, it does not."""


class _Claimed(msgspec.Struct, frozen=True):
    schema_version: str


class DisclosureEvent(msgspec.Struct, frozen=True, kw_only=True):
    """That something was disclosed to a buyer, or ended, and its place on the ledger."""

    event_time: datetime
    event_state: str
    buyer_id: str
    epoch: int
    hash: str
    key_id: str
    signature: str


class DisclosureReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt; ``record_id`` is the disclosure's id, and ``receipt_id`` changes with its state.

    Without ``cycles`` every cycle was disclosed; ``valid_from`` and ``valid_until`` are days in the programme's time
    zone, both included. ``requested_as`` and ``confirmed_as`` are the roles of the two persons of the programme, the
    disclosing party, who decided; ``jurisdiction`` is its country as ISO 3166-1 alpha-2.
    """

    schema_version: str
    record_id: str
    receipt_id: str
    factory_id: str
    buyer_ids: tuple[str, ...]
    lawful_basis: str
    disclosing_party_id: str
    jurisdiction: str
    language: str
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    valid_from: date | None
    valid_until: date | None
    reason: str
    requested_as: str
    confirmed_as: str
    events: tuple[DisclosureEvent, ...]
    proof: Proof


def disclosure_receipt_of(lines: Sequence[Line]) -> DisclosureReceipt:
    """The receipt of one disclosure: announcements, what each buyer was shown, perhaps ends; raises ``NotGenuine``."""
    own = [line for line in lines if line.entry.kind is not EntryKind.KEY_ANNOUNCED]
    made = {line.entry.grant_id: line for line in own if line.entry.kind is EntryKind.DISCLOSURE_MADE}
    if not made or lines[-1] is not own[-1]:
        raise NotGenuine("The proof does not hold a disclosure.")
    first, country = next(iter(made.values())), told(lines[0], COUNTRY)
    disclosure_id = told(first, "disclosure_id")
    for line in made.values():
        if line.entry.grant_id != record_id(disclosure_id, line.entry.buyer_id) or _content(line) != _content(first):
            raise NotGenuine("The proof holds more than one disclosure.")
    _demand_ends(own, made)
    last = lines[-1].entry
    return DisclosureReceipt(
        schema_version=SCHEMA_VERSION,
        record_id=disclosure_id,
        receipt_id=f"{disclosure_id}.{last.epoch}",
        factory_id=first.entry.factory_id,
        buyer_ids=tuple(line.entry.buyer_id for line in made.values()),
        lawful_basis=LAWFUL_BASIS,
        disclosing_party_id=programme_of(country),
        jurisdiction=country,
        language=LANGUAGE,
        kinds=first.entry.kinds,
        cycles=first.entry.cycles,
        valid_from=first.entry.starts_on,
        valid_until=first.entry.ends_on,
        reason=told(first, "reason"),
        requested_as=told(first, "requested_as"),
        confirmed_as=told(first, "confirmed_as"),
        events=tuple(_event(line) for line in own),
        proof=proof_of(lines),
    )


def claims_disclosure(content: bytes) -> bool:
    """Whether the bytes say of themselves that they are such a receipt, which is not checked here."""
    try:
        return msgspec.json.decode(content, type=_Claimed).schema_version == SCHEMA_VERSION
    except (msgspec.MsgspecError, ValueError):
        return False


def verified_disclosure(content: bytes, *, anchor: str = "", key: str = "") -> DisclosureReceipt:
    """Check the bytes of a receipt and read it; raises ``NotGenuine``.

    What it cannot show: entries after its last one, such as a later end, what was disclosed to a buyer whose entry
    was left out, and that its key was replaced. The ledger shows all; ``key`` is the one that is valid now.
    """
    return proven(content, disclosure_receipt_of, anchor=anchor, key=key)


def _demand_ends(own: Sequence[Line], made: dict[str, Line]) -> None:
    """Raise ``NotGenuine`` unless there is one entry for each thing made, and after it at most one that ends it."""
    begun: set[str] = set()
    ended: set[str] = set()
    for line in own:
        entry = line.entry
        given = made[entry.grant_id].entry if entry.grant_id in made else entry
        is_end = entry.kind is EntryKind.DISCLOSURE_ENDED and entry.grant_id in begun - ended
        is_same = (entry.factory_id, entry.buyer_id) == (given.factory_id, given.buyer_id)
        if is_end and is_same:
            ended.add(entry.grant_id)
        elif entry.kind is EntryKind.DISCLOSURE_MADE and entry.grant_id not in begun:
            begun.add(entry.grant_id)
        else:
            raise NotGenuine("The proof holds more than one disclosure and its end.")


def _content(line: Line) -> tuple[object, ...]:
    """What is the same for every buyer of a disclosure."""
    entry = line.entry
    told = {name: each.value for name, each in line.disclosed.items() if name != "by"}
    return (entry.factory_id, entry.kinds, entry.cycles, entry.starts_on, entry.ends_on, told)


def _event(line: Line) -> DisclosureEvent:
    entry = line.entry
    if entry.at is None:
        raise NotGenuine(f"Epoch {entry.epoch} has no time.")
    return DisclosureEvent(
        event_time=entry.at,
        event_state="disclosed" if entry.kind is EntryKind.DISCLOSURE_MADE else "disclosure ended",
        buyer_id=entry.buyer_id,
        epoch=entry.epoch,
        hash=entry.hash,
        key_id=entry.key_id,
        signature=entry.signature,
    )
