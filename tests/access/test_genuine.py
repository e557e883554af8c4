"""A ledger and a receipt verify offline, and nothing verifies that is not every byte what was written and signed."""

import io
from collections.abc import Callable

import msgspec
import pytest

from contracts.ledger import LedgerKey, NotGenuine
from services.access.domain.consent.announced import KeyAnnounced
from services.access.domain.consent.entry import Entry
from services.access.domain.consent.facts import Fact, GrantGiven, GrantRevoked
from services.access.domain.consent.fold import Fold
from services.access.domain.receipt import Receipt, verified_receipt
from services.access.domain.verification import canonical, verified_ledger
from services.runtime.identity import new_signing_key
from tests.access.entries import (
    KEY,
    NEXT_KEY,
    STRANGER,
    a_fold,
    a_forged_receipt,
    a_grant,
    a_receipt,
    a_rotated_ledger,
    bent_copies,
    lines_of,
    signed_next,
)

FOLD, ENTRIES = a_rotated_ledger()
LINES = lines_of(ENTRIES)
LEDGER = b"".join(LINES)
RECEIPT = a_receipt(FOLD)
REVOKED = GrantRevoked(record_id="g1", factory_id="f1", buyer_id="b1")


def ledger_is_genuine(content: bytes) -> bool:
    try:
        verified_ledger(iter(io.BytesIO(content).readline, b""))
    except NotGenuine:
        return False
    return True


def receipt_is_genuine(content: bytes) -> bool:
    try:
        verified_receipt(content)
    except NotGenuine:
        return False
    return True


@pytest.mark.parametrize(("content", "is_genuine"), [(RECEIPT, receipt_is_genuine), (LEDGER, ledger_is_genuine)])
@pytest.mark.timeout(180)
def test_a_change_of_any_byte_is_rejected(content: bytes, is_genuine: Callable[[bytes], bool]) -> None:
    assert is_genuine(content)
    for where, bent in bent_copies(content):
        assert not is_genuine(bent), where


def test_a_ledger_tells_its_anchor_and_its_head() -> None:
    chain = verified_ledger(LINES, anchor=KEY.id)
    assert (chain.anchor, chain.epoch, chain.hash) == (KEY.id, 5, ENTRIES[-1].hash)
    assert chain.key == NEXT_KEY.public


@pytest.mark.parametrize(
    "lines",
    [
        [],
        LINES[1:],
        [LINES[0], *LINES[2:]],
        [LINES[0], LINES[2], LINES[1], *LINES[3:]],
        [*LINES[:2], LINES[1], *LINES[2:]],
        [*LINES, LINES[-1]],
        [*LINES[:-1], LINES[-1][:-1]],
        [*LINES, b"\n"],
        [LINES[0] + LINES[1]],
    ],
    ids=["empty", "no first", "removed", "swapped", "doubled", "repeated", "cut line", "blank line", "joined"],
)
def test_a_ledger_with_an_entry_removed_inserted_or_moved_is_rejected(lines: list[bytes]) -> None:
    with pytest.raises(NotGenuine):
        verified_ledger(lines)


def test_a_ledger_that_was_cut_off_shows_against_what_was_noted() -> None:
    assert verified_ledger(LINES[:-1]).epoch == 4
    noted = {event.epoch: event.hash for event in verified_receipt(RECEIPT).events}
    assert verified_ledger(LINES, noted=noted).epoch == 5
    with pytest.raises(NotGenuine, match="cut off"):
        verified_ledger(LINES[:-1], noted=noted)
    with pytest.raises(NotGenuine, match="noted"):
        verified_ledger(LINES, noted={2: "0" * 64})


def test_what_is_sealed_can_not_be_left_out_of_a_ledger() -> None:
    line = msgspec.json.decode(LINES[1])
    del line["disclosed"]["purpose"]
    with pytest.raises(NotGenuine, match="sealed"):
        verified_ledger([LINES[0], canonical(line) + b"\n"])


@pytest.mark.parametrize("anchor", [STRANGER.id, NEXT_KEY.id, "?"], ids=["strange", "later", "none"])
def test_another_first_key_than_the_trusted_one_is_rejected(anchor: str) -> None:
    with pytest.raises(NotGenuine, match="another key"):
        verified_ledger(LINES, anchor=anchor)
    with pytest.raises(NotGenuine, match="another key"):
        verified_receipt(RECEIPT, anchor=anchor)


def with_last(entry: Entry, before: int) -> list[bytes]:
    return lines_of([*ENTRIES[:before], entry])


@pytest.mark.parametrize(
    ("before", "fact", "key"),
    [
        (3, REVOKED, STRANGER),
        (3, REVOKED, NEXT_KEY),
        (3, KeyAnnounced(STRANGER.public), STRANGER),
        (4, REVOKED, KEY),
        (4, KeyAnnounced(STRANGER.public), KEY),
        (4, KeyAnnounced(public_key=KEY.public), NEXT_KEY),
        (4, KeyAnnounced("?"), NEXT_KEY),
        (0, GrantGiven(grant=a_grant()), KEY),
        (0, KeyAnnounced(public_key=KEY.public), STRANGER),
    ],
    ids=[
        "a stranger",
        "before its announcement",
        "a stranger announces itself",
        "after it was replaced",
        "a replaced key announces another",
        "a replaced key comes back",
        "no key is announced",
        "nothing is announced",
        "the first key signed by another",
    ],
)
def test_an_entry_of_a_key_that_is_not_valid_is_rejected(before: int, fact: Fact, key: LedgerKey) -> None:
    entry = signed_next(Fold(ENTRIES[:before]), fact, key)
    with pytest.raises(NotGenuine):
        verified_ledger(with_last(entry, before))
    # The name of the valid key does not help without its signature.
    named = msgspec.structs.replace(entry, key_id=NEXT_KEY.id if before > 3 else KEY.id)
    with pytest.raises(NotGenuine):
        verified_ledger(with_last(named, before))


def test_an_entry_that_names_another_key_than_the_one_that_signed_it_is_rejected() -> None:
    seed = new_signing_key()
    key, liar = LedgerKey(seed), LedgerKey(seed)
    liar.id = STRANGER.id
    first = signed_next(Fold(), KeyAnnounced(public_key=key.public), key)
    entry = signed_next(Fold([first]), GrantGiven(grant=a_grant()), liar)
    with pytest.raises(NotGenuine, match="not the announced one"):
        verified_ledger(lines_of([first, entry]))


def test_a_receipt_says_what_was_approved_and_withdrawn() -> None:
    receipt = verified_receipt(RECEIPT, anchor=KEY.id)
    assert [event.event_state for event in receipt.events] == ["consent given", "consent withdrawn"]
    assert [event.epoch for event in receipt.events] == [2, 5]
    assert (receipt.record_id, receipt.pii_principal_id) == ("g1", "f1")
    assert receipt.purposes[0].purpose == "Näherin 東"
    assert receipt.purposes[0].recipient_third_parties == ("b1",)
    assert [line.entry.epoch for line in receipt.proof.entries] == [1, 2, 4, 5]
    assert b"Rana" in RECEIPT


def test_a_receipt_without_persons_proves_the_same() -> None:
    shown = a_receipt(FOLD, names={"purpose"})
    assert b"Rana" not in shown
    assert b"someone" not in shown
    assert verified_receipt(shown, anchor=KEY.id).events == verified_receipt(RECEIPT).events


def test_the_receipt_of_a_grant_in_force_holds_its_approval_only() -> None:
    receipt = verified_receipt(a_receipt(FOLD, "g2"))
    assert [event.event_state for event in receipt.events] == ["consent given"]
    assert [line.entry.epoch for line in receipt.proof.entries] == [1, 3]


def changed(**fields: object) -> bytes:
    return canonical(msgspec.structs.replace(msgspec.json.decode(RECEIPT, type=Receipt), **fields))


def with_proof(*positions: int) -> bytes:
    receipt = msgspec.json.decode(RECEIPT, type=Receipt)
    lines = tuple(receipt.proof.entries[position] for position in positions)
    return changed(proof=msgspec.structs.replace(receipt.proof, entries=lines))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"null",
        RECEIPT + b"\n",
        changed(record_id="g2"),
        changed(events=()),
        with_proof(),
        with_proof(0),
        with_proof(1),
        with_proof(0, 1),
        with_proof(0, 2, 3),
        with_proof(0, 1, 3),
        with_proof(0, 1, 2),
        with_proof(1, 0, 2, 3),
        with_proof(0, 1, 1, 2, 3),
    ],
)
def test_a_receipt_that_says_more_or_else_than_its_proof_is_rejected(content: bytes) -> None:
    assert not receipt_is_genuine(content)


def test_a_receipt_of_a_stolen_key_that_was_replaced_shows_against_the_ledger_and_the_key_that_is_valid_now() -> None:
    forged = a_forged_receipt()
    entries = verified_receipt(forged, anchor=KEY.id).proof.entries
    with pytest.raises(NotGenuine, match="valid now"):
        verified_receipt(forged, anchor=KEY.id, key=NEXT_KEY.id)
    with pytest.raises(NotGenuine, match="noted"):
        verified_ledger(LINES, noted={line.entry.epoch: line.entry.hash for line in entries})


def test_a_receipt_of_the_key_that_is_valid_now_passes_and_so_does_none_of_an_earlier_one() -> None:
    assert verified_receipt(a_receipt(a_fold(GrantGiven(grant=a_grant()))[0]), key=KEY.id).record_id == "g1"
    with pytest.raises(NotGenuine, match="only the ledger shows"):
        verified_receipt(RECEIPT, key=NEXT_KEY.id)  # approved under the key before


def test_a_ledger_without_the_last_key_shows_against_the_key_that_is_valid_now() -> None:
    assert verified_ledger(LINES, key=NEXT_KEY.id).epoch == 5
    assert verified_ledger(LINES[:3]).epoch == 3
    with pytest.raises(NotGenuine, match="ends under the key"):
        verified_ledger(LINES[:3], key=NEXT_KEY.id)


def test_the_entries_of_different_grants_make_no_receipt() -> None:
    fold, _ = a_fold(GrantGiven(grant=a_grant()), GrantGiven(grant=a_grant("g2", buyer_id="b2")))
    first = msgspec.json.decode(a_receipt(fold), type=Receipt)
    other = msgspec.json.decode(a_receipt(fold, "g2"), type=Receipt)
    lines = (*first.proof.entries, other.proof.entries[-1])
    proof = msgspec.structs.replace(first.proof, entries=lines)
    assert not receipt_is_genuine(canonical(msgspec.structs.replace(first, proof=proof)))
