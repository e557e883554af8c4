"""Receipts of consent that prove themselves offline, in the shape of ISO/IEC TS 27560 records and receipts.

How the terms of TS 27560 map: it speaks of a person (the PII principal) who consents towards a PII controller. Here the
consenting party is a factory, a legal person.

- header: ``schema_version``, ``record_id`` (the grant), ``pii_principal_id`` (the factory), and ``receipt_id``.
- ``privacy_notice``: the version of the programme's terms that the factory had accepted when it approved, with the
  digest of their text; none when it had accepted none. ``language`` is that of the words that STAR puts in; the purpose
  is in those of whoever wrote it.
- each of ``purposes``: the lawful basis is consent, ``pii_information`` are the kinds of report, ``pii_controllers`` is
  the programme of the country, ``recipient_third_parties`` the buyer, vendor or agent, ``collection_method`` how the
  consent was collected, ``jurisdiction`` the country, ``retention_period`` how long the recipient may read and how long
  the consent is kept, ``withdrawal_method`` how to say stop.
- ``party_identification``: id, role and type of each party.
- ``events``: the approval and, once there was one, the withdrawal. The validity duration is ``valid_from`` to
  ``valid_until``, days in the programme's time zone, both included, none without an end.
- ``proof`` is ours: the signed entries of the ledger with every announcement of a key before them.

Absent, because the ledger does not know it: names, addresses and contacts of the parties (the register of parties has
them), where the disks stand (storage and processing locations), codes of conduct, impact assessments and authorities.
Absent, because it does not apply to reports on a company: optional, sensitive and special categories of personal data,
and the rights of a data subject.

Everything outside of ``proof`` follows from it, and the bytes are canonical JSON (RFC 8785): a receipt is checked by
making it again from its proof and comparing every byte.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, TypeVar

import msgspec
import rfc8785

from contracts.access import ConsentEntry, EntryKind
from contracts.ledger import Chain, NotGenuine, check_disclosed
from contracts.vocabulary import ReportKind
from services.access.domain.consent.announced import COUNTRY
from services.access.domain.consent.facts import PURPOSE, TERMS_SHA256, TERMS_VERSION
from services.access.domain.verification import Line, canonical

R = TypeVar("R")
SCHEMA_VERSION: Final = "ISO/IEC TS 27560:2023; star.consent-receipt.1"
LANGUAGE: Final = "en"
RETENTION: Final = (
    "The recipient may read until valid_until or a withdrawal, whichever is first; the consent is kept on the ledger."
)
TOLD_TO_BUYER: Final = frozenset({PURPOSE, COUNTRY, TERMS_VERSION, TERMS_SHA256})
"""What of the sealed values the receipt of the recipient tells: no person and no paper."""
TOLD_TO_FACTORY: Final = TOLD_TO_BUYER | {
    "agreement_id",
    "request_id",
    "document_sha256",
    "approver_name",
    "approver_role",
    "withdrawer_name",
    "withdrawer_role",
    "reason",
}
"""What that of the factory tells: its own people and papers, and not who of another party wrote the entry."""


class Information(msgspec.Struct, frozen=True, kw_only=True):
    """A category of data."""

    pii_type: ReportKind


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What for, on which basis, which data, who holds it, who receives it and how the consent is withdrawn.

    ``collection_method`` is ``portal`` or ``signed paper``, the latter with the SHA-256 (hex) of its scan where the
    reader may know it; ``jurisdiction`` is the country as ISO 3166-1 alpha-2.
    """

    purpose: str
    lawful_basis: str
    pii_information: tuple[Information, ...]
    pii_controllers: tuple[str, ...]
    collection_method: str
    collection_document_sha256: str
    retention_period: str
    service: str
    jurisdiction: str
    recipient_third_parties: tuple[str, ...]
    withdrawal_method: str


class PrivacyNotice(msgspec.Struct, frozen=True, kw_only=True):
    """The terms that the consenting party had accepted: their version, and the SHA-256 (hex) of their text."""

    version: str
    document_sha256: str


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who takes part."""

    party_id: str
    party_role: str
    party_type: str


class ConsentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the consent, and its place on the ledger."""

    event_time: datetime
    event_type: str
    event_state: str
    entity_id: str
    valid_from: date | None
    valid_until: date | None
    epoch: int
    hash: str
    key_id: str
    signature: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The entries that the receipt is made from; ``anchor`` is the fingerprint of the first key among them."""

    anchor: str
    epoch: int
    hash: str
    key_id: str
    signature: str
    entries: tuple[Line, ...]


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receipt; ``record_id`` is the grant's id, and ``receipt_id`` changes with the state of the record."""

    schema_version: str
    record_id: str
    receipt_id: str
    pii_principal_id: str
    privacy_notice: PrivacyNotice | None
    language: str
    purposes: tuple[Purpose, ...]
    party_identification: tuple[Party, ...]
    events: tuple[ConsentEvent, ...]
    proof: Proof


class _Claimed(msgspec.Struct, frozen=True):
    """The part of a receipt that the rest must follow from."""

    proof: Proof


def receipt_of(lines: Sequence[Line]) -> Receipt:
    """The receipt of one grant: announcements, the approval, perhaps the withdrawal; raises ``NotGenuine``."""
    own = [line for line in lines if line.entry.kind is not EntryKind.KEY_ANNOUNCED]
    if not own or own[0].entry.kind is not EntryKind.GRANT_GIVEN or lines[-1] is not own[-1]:
        raise NotGenuine("The proof does not hold an approval.")
    given, *others = own
    if len(others) > 1 or any(not _ends(given, other) for other in others):
        raise NotGenuine("The proof holds more than one approval and its withdrawal.")
    grant, country = given.entry, told(lines[0], COUNTRY)
    return Receipt(
        schema_version=SCHEMA_VERSION,
        record_id=grant.grant_id,
        receipt_id=f"{grant.grant_id}.{lines[-1].entry.epoch}",
        pii_principal_id=grant.factory_id,
        privacy_notice=_notice(given),
        language=LANGUAGE,
        purposes=(_purpose(given, country),),
        party_identification=_parties(grant, country),
        events=tuple(_event(line.entry, grant) for line in (given, *others)),
        proof=proof_of(lines),
    )


def proof_of(lines: Sequence[Line]) -> Proof:
    """The proof that these lines are."""
    last = lines[-1].entry
    return Proof(
        anchor=lines[0].entry.key_id,
        epoch=last.epoch,
        hash=last.hash,
        key_id=last.key_id,
        signature=last.signature,
        entries=tuple(lines),
    )


def verified_receipt(content: bytes, *, anchor: str = "", key: str = "") -> Receipt:
    """Check the bytes of a receipt and read it; raises ``NotGenuine``.

    What it cannot show: entries after its last one, such as a later withdrawal, and that a key was replaced by an
    announcement that was left out, so that who stole a replaced key could have made it. The ledger shows both; with
    ``key``, the fingerprint of the key that is valid now, only what that key signed passes.
    """
    return proven(content, receipt_of, anchor=anchor, key=key)


def proven(content: bytes, make: Callable[[Sequence[Line]], R], *, anchor: str = "", key: str = "") -> R:
    """Check the proof in the bytes of a receipt and make it again; raises ``NotGenuine`` unless the bytes are it."""
    try:
        claimed = msgspec.json.decode(content, type=_Claimed).proof
    except (msgspec.MsgspecError, ValueError) as error:
        raise NotGenuine("This cannot be read as a receipt.") from error
    chain = Chain(anchor)
    try:
        for line in claimed.entries:
            chain = chain.later(line.entry)
            if line.entry.kind is not EntryKind.KEY_ANNOUNCED and key not in {"", line.entry.key_id}:
                raise NotGenuine(
                    f"Epoch {line.entry.epoch} is signed by the key {line.entry.key_id}, not by the one that is valid "
                    "now: whether it was written before that key was replaced, only the ledger shows."
                )
            check_disclosed(line.entry, line.disclosed)
        receipt = make(claimed.entries)
        is_exact = canonical(receipt) == content
    except rfc8785.CanonicalizationError as error:
        raise NotGenuine("This cannot be read as a receipt.") from error
    if not is_exact:
        raise NotGenuine("The receipt says something else than its proof.")
    return receipt


def _ends(given: Line, other: Line) -> bool:
    """Whether the entry withdraws what was given."""
    names = ("grant_id", "factory_id", "buyer_id")
    is_same = all(getattr(given.entry, name) == getattr(other.entry, name) for name in names)
    return other.entry.kind is EntryKind.GRANT_REVOKED and is_same


def told(line: Line, name: str) -> str:
    """What is shown of a sealed value beside an entry; empty when nothing is."""
    found = line.disclosed.get(name)
    return found.value if found else ""


def programme_of(country: str) -> str:
    """The id of the programme of a country, which is the controller."""
    return f"{country}/programme" if country else "programme"


def _notice(given: Line) -> PrivacyNotice | None:
    version = told(given, TERMS_VERSION)
    return PrivacyNotice(version=version, document_sha256=told(given, TERMS_SHA256)) if version else None


def _parties(grant: ConsentEntry, country: str) -> tuple[Party, ...]:
    return (
        Party(party_id=grant.factory_id, party_role="pii_principal", party_type="factory"),
        Party(party_id=programme_of(country), party_role="pii_controller", party_type="labour programme"),
        Party(party_id=grant.buyer_id, party_role="recipient", party_type="buyer, vendor or agent"),
    )


def _purpose(given: Line, country: str) -> Purpose:
    grant = given.entry
    return Purpose(
        purpose=told(given, PURPOSE),
        lawful_basis="consent",
        pii_information=tuple(Information(pii_type=kind) for kind in grant.kinds),
        pii_controllers=(programme_of(country),),
        collection_method="signed paper" if "document_sha256" in grant.sealed else "portal",
        collection_document_sha256=told(given, "document_sha256"),
        retention_period=RETENTION,
        service="STAR",
        jurisdiction=country,
        recipient_third_parties=(grant.buyer_id,),
        withdrawal_method=_withdrawal_method(grant),
    )


def _withdrawal_method(grant: ConsentEntry) -> str:
    """How the factory says stop: first the way in which it said yes."""
    methods = [f"DELETE /api/v1/grants/{grant.grant_id}", "a signed paper that is handed to the programme"]
    return " or ".join(reversed(methods) if "document_sha256" in grant.sealed else methods)


def _event(entry: ConsentEntry, grant: ConsentEntry) -> ConsentEvent:
    if entry.at is None:
        raise NotGenuine(f"Epoch {entry.epoch} has no time.")
    is_given = entry.kind is EntryKind.GRANT_GIVEN
    return ConsentEvent(
        event_time=entry.at,
        event_type="explicit",
        event_state="consent given" if is_given else "consent withdrawn",
        entity_id=grant.factory_id,
        valid_from=grant.starts_on if is_given else None,
        valid_until=grant.ends_on if is_given else None,
        epoch=entry.epoch,
        hash=entry.hash,
        key_id=entry.key_id,
        signature=entry.signature,
    )
