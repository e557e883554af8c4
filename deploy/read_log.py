"""Commands on the read log of a factory: fetch it, and check it offline."""

import asyncio
from pathlib import Path
from typing import Annotated

import cyclopts
import msgspec
from cyclopts import Parameter

from contracts.ledger import NotGenuine
from deploy.options import URL, Token, Url, User
from deploy.terminal import say
from deploy.verify import (
    LARGEST_RECEIPT,
    Anchor,
    CurrentKey,
    LedgerFile,
    checked,
    fetched,
    ledger_in,
    noted_head,
    tell_anchor,
    tell_key,
)
from services.access.domain.read_export import Verified, verified_log
from services.access.domain.reading import Head

LONGEST_LINE = 16 * 1024 * 1024
"""A page holds at most this much, as its document does."""


def export_log(factory_id: str, file: Path, *, url: Url = URL, user: User = "admin", token: Token = "") -> None:
    """Export the whole read log of a factory, a line a page; it names people: keep it safe."""
    size = asyncio.run(fetched(file, f"/factories/{factory_id}/read-log", url, user, token))
    say(f"{size:,} bytes written to {file}")


def verify_log(
    file: Path,
    *,
    anchor: Anchor = "",
    ledger: LedgerFile = None,
    key: CurrentKey = "",
    noted: Annotated[str, Parameter(help="Noted earlier, PAGE:HASH: the log must hold it")] = "",
    head: Annotated[Path | None, Parameter(help="A head that the API told earlier: the log must hold it")] = None,
) -> None:
    """Check every page of an exported read log, offline: hashes, order, signatures, keys and the end.

    Against a stolen key that was replaced it needs --ledger or --key.
    """
    pages = noted_head(noted, "--noted is PAGE:HASH, as verify-log prints it.")
    found = checked(lambda: _verified(file, anchor, key, pages, head))
    log = found.head
    chain = checked(lambda: ledger_in(ledger, anchor, found.announced, log.key_id)) if ledger else None
    say(f"Genuine: {log.reads:,} reads in {log.pages:,} pages of factory {log.factory_id}, {found.keys} keys.", "bold")
    say(f"Told at {log.told_at.isoformat()}; later reads do not show here.")
    tell_anchor(found.anchor, anchor)
    tell_key(log.key_id, key, chain)
    if log.pages:
        say(f"Note: {log.pages}:{log.hash}")
    if not pages and head is None:
        say("An older export shows only against what was noted: give --noted or --head.")


def register(app: cyclopts.App) -> None:
    """Add the commands to the command line."""
    for command in (export_log, verify_log):
        app.command(command)


def _verified(path: Path, anchor: str, key: str, noted: dict[int, str], head: Path | None) -> Verified:
    earlier = _head(head) if head is not None else None
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(LONGEST_LINE), b"")
        return verified_log(lines, anchor=anchor, key=key, noted=noted, earlier=earlier)


def _head(path: Path) -> Head:
    """A head as the API told it; raises ``NotGenuine``."""
    with path.open("rb") as file:
        try:
            return msgspec.json.decode(file.read(LARGEST_RECEIPT), type=Head)
        except (msgspec.MsgspecError, ValueError) as error:
            raise NotGenuine(f"{path} cannot be read as a head.") from error
