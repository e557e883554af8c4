"""Checking a whole exported ledger offline: one line an entry, each exactly the bytes that were written; no I/O."""

from collections.abc import Collection, Iterable, Mapping

import msgspec
import rfc8785

from contracts.access import ConsentEntry
from contracts.ledger import Chain, Disclosed, NotGenuine, check_disclosed, fingerprint
from services.access.domain.consent.entry import Entry, disclosed, followed


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry as everybody may see it, and beside it what the reader may learn of the sealed values."""

    entry: ConsentEntry
    disclosed: dict[str, Disclosed]


def line_of(entry: Entry, names: Collection[str] | None = None) -> Line:
    """The line of a stored entry; with ``names`` only these of its sealed values are shown."""
    shown = disclosed(entry)
    if names is not None:
        shown = {name: each for name, each in shown.items() if name in names}
    return Line(followed(entry), shown)


def canonical(content: object) -> bytes:
    """The one spelling of a struct as JSON (RFC 8785)."""
    return rfc8785.dumps(msgspec.to_builtins(content))


def verified_ledger(
    lines: Iterable[bytes], *, anchor: str = "", key: str = "", noted: Mapping[int, str] | None = None
) -> Chain:
    """Check the lines of an exported ledger, in constant memory, and tell where they end; raises ``NotGenuine``.

    An end that was cut off leaves a shorter ledger that is whole in itself, which who holds a replaced key could also
    continue from before its replacement. ``noted``, hashes by epoch from a receipt or an earlier check, shows that
    entries are missing, and ``key``, the fingerprint of the key that is valid now, that its announcement is.
    """
    chain, wanted = Chain(anchor), dict(noted or {})
    for line in lines:
        chain = chain.next(_read(line, after=chain.epoch))
        if wanted.pop(chain.epoch, chain.hash) != chain.hash:
            raise NotGenuine(f"Epoch {chain.epoch} is not the one that was noted.")
    if not chain.epoch:
        raise NotGenuine("There is no entry at all.")
    if wanted:
        raise NotGenuine(f"The ledger ends at epoch {chain.epoch}, and epoch {max(wanted)} was noted: it was cut off.")
    if key not in {"", fingerprint(chain.key)}:
        raise NotGenuine(f"The ledger ends under the key {fingerprint(chain.key)}, not under {key}.")
    return chain


def _read(line: bytes, *, after: int) -> ConsentEntry:
    """The entry of a line that is spelt as it was written and shows all that is sealed; raises ``NotGenuine``."""
    try:
        read = msgspec.json.decode(line, type=Line)
        is_exact = canonical(read) + b"\n" == line
    except (msgspec.MsgspecError, rfc8785.CanonicalizationError, ValueError) as error:
        raise NotGenuine(f"What follows epoch {after} cannot be read as an entry.") from error
    if not is_exact:
        raise NotGenuine(f"What follows epoch {after} is not spelt as it was written.")
    check_disclosed(read.entry, read.disclosed, read.entry.sealed)
    return read.entry
