"""Commands on the consent ledger: fetch it, tell its first key, and check it or a receipt offline."""

import asyncio
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

import cyclopts
from cyclopts import Parameter

from contracts.ledger import Chain, LedgerKey, NotGenuine, fingerprint
from deploy.client import client_of
from deploy.exporter import OWNER_ONLY, saved
from deploy.options import URL, Token, Url, User
from deploy.terminal import complain, say
from services.access.domain.disclosure_receipt import DisclosureReceipt, claims_disclosure, verified_disclosure
from services.access.domain.receipt import Proof, Receipt, verified_receipt
from services.access.domain.verification import verified_ledger
from services.runtime.identity import new_signing_key

Anchor = Annotated[
    str, Parameter(help="Fingerprint of the first key, from somebody you trust", env_var="STAR_LEDGER_ANCHOR")
]
CurrentKey = Annotated[
    str, Parameter(name="--key", help="Fingerprint of the key that is valid now, from somebody you trust")
]
LedgerFile = Annotated[Path | None, Parameter(name="--ledger", help="An exported ledger that must hold all of it")]
Checked = TypeVar("Checked")
LONGEST_LINE = 64 * 1024
LARGEST_RECEIPT = 16 * 1024 * 1024


def ledger_key(*, new: bool = False, url: Url = URL, user: User = "admin", token: Token = "") -> None:
    """Tell the fingerprint of the ledger's first key, which anchors all trust; with --new make a key instead."""
    if new:
        seed = new_signing_key()
        print(f"STAR_LEDGER_KEY={seed}\nSTAR_LEDGER_ANCHOR={LedgerKey(seed).id}")
        return
    with tempfile.TemporaryDirectory(prefix="star-ledger-") as folder:
        path = Path(folder) / "ledger.ndjson"
        asyncio.run(fetched(path, "/consent-ledger", url, user, token))
        chain = checked(lambda: ledger_in(path))
    print(chain.anchor)


def export_ledger(file: Path, *, url: Url = URL, user: User = "admin", token: Token = "") -> None:
    """Export the whole consent ledger, a line an entry; it names people: keep it safe."""
    size = asyncio.run(fetched(file, "/consent-ledger", url, user, token))
    say(f"{size:,} bytes written to {file}")


def verify_ledger(
    file: Path,
    *,
    anchor: Anchor = "",
    key: CurrentKey = "",
    head: Annotated[str, Parameter(help="Noted earlier, EPOCH:HASH: the ledger must hold it")] = "",
    receipt: Annotated[Path | None, Parameter(help="A receipt whose entries the ledger must hold")] = None,
) -> None:
    """Check every entry of an exported ledger, offline: hashes, order, signatures and keys."""
    noted = noted_head(head)
    if receipt is not None:
        noted = checked(lambda: _both(noted, entries_of(_receipt(receipt, anchor).proof)))
    chain = checked(lambda: ledger_in(file, anchor, noted, key))
    say(f"Genuine: {chain.epoch:,} entries, signed by {len(chain.announced)} keys in turn.", "bold")
    tell_anchor(chain.anchor, anchor)
    say(f"Key: {fingerprint(chain.key)}")
    say(f"Head: {chain.epoch}:{chain.hash}")
    if not key:
        say("Whether this key was replaced since does not show: compare it with --key, from somebody you trust.")
    if noted:
        say(f"It holds what was noted up to epoch {max(noted)}. Entries that were cut off behind that do not show.")
    else:
        say("Entries cut off at the end do not show: compare with --head, noted earlier, or with a --receipt.")


def verify_receipt(file: Path, *, anchor: Anchor = "", ledger: LedgerFile = None, key: CurrentKey = "") -> None:
    """Check a receipt, offline, and tell what it proves.

    Against a stolen key that was replaced it needs --ledger, or --key when that key signed the receipt.
    """
    receipt = checked(lambda: _receipt(file, anchor, "" if ledger else key))
    chain = checked(lambda: ledger_in(ledger, anchor, entries_of(receipt.proof), key)) if ledger else None
    if isinstance(receipt, DisclosureReceipt):
        _tell_disclosure(receipt)
    else:
        _tell_consent(receipt)
    tell_anchor(receipt.proof.anchor, anchor)
    tell_key(receipt.proof.key_id, key, chain)
    say(f"Head: {receipt.proof.epoch}:{receipt.proof.hash}")
    say("What came after this does not show here, such as a later withdrawal: the ledger shows it.")


def register(app: cyclopts.App) -> None:
    """Add the commands to the command line."""
    for command in (ledger_key, export_ledger, verify_ledger, verify_receipt):
        app.command(command)


def checked(check: Callable[[], Checked]) -> Checked:
    """The result of a check; what is not genuine is told and ends the command with 1."""
    try:
        return check()
    except NotGenuine as error:
        complain(f"NOT genuine: {error}")
        sys.exit(1)


def noted_head(head: str, sentence: str = "--head is EPOCH:HASH, as verify-ledger prints it.") -> dict[int, str]:
    """The hash by its number; ends the command with 2 and the sentence when it is misspelt."""
    if not head:
        return {}
    found = re.fullmatch(r"([1-9][0-9]*):([0-9a-f]{64})", head, re.ASCII)
    if found is None:
        complain(sentence)
        sys.exit(2)
    return {int(found[1]): found[2]}


def tell_anchor(found: str, expected: str) -> None:
    """Tell the anchor, and whether it means something."""
    say(f"Anchor: {found}")
    if not expected:
        say("The anchor was not compared: give --anchor, from somebody you trust, or anybody could have signed this.")


def tell_key(signed_by: str, key: str, ledger: Chain | None) -> None:
    """Tell what is known of the key that signed, and plainly when it is nothing."""
    say(f"Key: {signed_by}")
    if ledger is not None:
        say(f"All of it stands on the ledger that was given, which ends at epoch {ledger.epoch}.")
    elif not key:
        say(
            "Not checked: whether this key was replaced before. Who stole a replaced key could have made this: give "
            "--ledger, an exported ledger, or --key, the key that is valid now."
        )


def entries_of(proof: Proof) -> dict[int, str]:
    """The hashes by epoch of all entries of a proof, whose epochs ascend."""
    return {line.entry.epoch: line.entry.hash for line in proof.entries}


def _both(noted: dict[int, str], told: dict[int, str]) -> dict[int, str]:
    """What was noted and what a receipt tells; raises ``NotGenuine`` when they differ."""
    for epoch in noted.keys() & told.keys():
        if noted[epoch] != told[epoch]:
            raise NotGenuine(f"The receipt tells another entry at epoch {epoch} than the one that was noted.")
    return noted | told


def _tell_consent(receipt: Receipt) -> None:
    say(f"Genuine: consent {receipt.record_id}.", "bold")
    for event in receipt.events:
        say(f"{event.event_time.isoformat()}  {event.event_state}, epoch {event.epoch}")
    purpose, given = receipt.purposes[0], receipt.events[0]
    say(f"By {receipt.pii_principal_id} for {', '.join(purpose.recipient_third_parties)}: {purpose.purpose}")
    say(f"{', '.join(each.pii_type for each in purpose.pii_information)}")
    say(f"from {given.valid_from} until {given.valid_until or 'withdrawn'}")


def _tell_disclosure(receipt: DisclosureReceipt) -> None:
    say(f"Genuine: disclosure {receipt.record_id}, without consent: {receipt.lawful_basis}.", "bold")
    for event in receipt.events:
        say(f"{event.event_time.isoformat()}  {event.event_state}, {event.buyer_id}, epoch {event.epoch}")
    say(f"Of {receipt.factory_id} to {', '.join(receipt.buyer_ids)}: {receipt.reason or '-'}")
    say(f"{', '.join(receipt.kinds)}; cycles: {', '.join(map(str, receipt.cycles)) or 'every one'}")
    say(f"from {receipt.valid_from} until {receipt.valid_until}")


def _receipt(path: Path, anchor: str, key: str = "") -> Receipt | DisclosureReceipt:
    with path.open("rb") as file:
        content = file.read(LARGEST_RECEIPT)
    verified = verified_disclosure if claims_disclosure(content) else verified_receipt
    return verified(content, anchor=anchor, key=key)


def ledger_in(path: Path, anchor: str = "", noted: Mapping[int, str] | None = None, key: str = "") -> Chain:
    """Where the exported ledger in a file ends that holds what was noted; raises ``NotGenuine``."""
    with path.open("rb") as file:
        return verified_ledger(_lines(file), anchor=anchor, noted=noted, key=key)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines; one that is too long comes in pieces, which are no entries."""
    return iter(lambda: file.readline(LONGEST_LINE), b"")


async def fetched(path: Path, address: str, url: str, user: str, token: str) -> int:
    """Write what the API exports, whole or not at all, readable by its owner only; raises ``Refused``.

    Tells the size.
    """
    async with client_of(url, user, token) as client:
        return await saved(client, address, path, mode=OWNER_ONLY)
