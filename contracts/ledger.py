"""How the consent ledger is sealed, signed and checked: one chain of hashes, one signing key at a time; no I/O.

An entry's ``hash`` is the SHA-256 of the canonical JSON (RFC 8785) of the entry without ``hash`` and ``signature``; the
Ed25519 signature covers the hash. What not every reader may learn (a person, a purpose) stands in the entry as a salted
digest, and is shown beside the entry to those who may: every reader checks the same hash.

The signing key is announced on the ledger: the first entry announces the first key and is signed by it (the anchor: a
reader compares its fingerprint with one got elsewhere), a later announcement is signed by the key before it, which is
never valid again. So whoever holds only an old key can add nothing to a ledger that a reader has whole; of a part, such
as a receipt, nobody can tell whether the announcement of a later key was left out.
"""

import base64
import binascii
import functools
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.access import ConsentEntry, EntryKind

GENESIS: Final = "0" * 64
"""The ``previous_hash`` of the first entry."""

_SIGNED_AS: Final = b"star.consent-ledger.1\n"


class NotGenuine(Exception):
    """An entry is not what was written and signed, or not where it was written."""


class Disclosed(msgspec.Struct, frozen=True):
    """A sealed value with the salt of its digest."""

    salt: str
    value: str


class LedgerKey:
    """A private signing key of the ledger."""

    def __init__(self, seed: str) -> None:
        """``seed`` is the base64 of 32 bytes; raises ``ValueError`` for anything else."""
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed, validate=True))
        except binascii.Error as error:
            raise ValueError("not base64") from error
        self.public = self._key.public_key().public_bytes_raw().hex()
        self.id = fingerprint(self.public)

    def signed(self, entry: ConsentEntry) -> ConsentEntry:
        """The entry with this key's id, its hash and its signature."""
        named = msgspec.structs.replace(entry, key_id=self.id)
        found = content_hash(named)
        return msgspec.structs.replace(named, hash=found, signature=self.sign(_SIGNED_AS, found))

    def sign(self, signed_as: bytes, content_hash: str) -> str:
        """The signature (hex) of a hash (hex) under words that no other kind of content is signed under."""
        return self._key.sign(signed_as + _unhex(content_hash)).hex()


class Chain(msgspec.Struct, frozen=True):
    """What a reader has checked so far, up to the entry ``epoch`` with its ``hash``.

    ``anchor`` is the fingerprint of the first key: given beforehand, or learned from the first entry when empty.
    ``key`` is the public key (hex) that is valid now, ``announced`` the ids of all keys so far.
    """

    anchor: str = ""
    epoch: int = 0
    hash: str = GENESIS
    key: str = ""
    announced: frozenset[str] = frozenset()

    def next(self, entry: ConsentEntry) -> "Chain":
        """After the very next entry; raises ``NotGenuine``."""
        if entry.epoch != self.epoch + 1 or entry.previous_hash != self.hash:
            raise NotGenuine(f"Epoch {entry.epoch} does not continue the ledger at epoch {self.epoch}.")
        return self.later(entry)

    def later(self, entry: ConsentEntry) -> "Chain":
        """After a later entry, without those between; every announcement must be among them. Raises ``NotGenuine``."""
        if entry.epoch <= self.epoch:
            raise NotGenuine(f"Epoch {entry.epoch} does not come after epoch {self.epoch}.")
        if content_hash(entry) != entry.hash:
            raise NotGenuine(f"The entry at epoch {entry.epoch} does not match its hash.")
        key = self.key or self._first(entry)
        if entry.key_id != fingerprint(key):
            raise NotGenuine(f"Epoch {entry.epoch} is signed by a key that is not the announced one.")
        check_signature(entry, key)
        if entry.kind is not EntryKind.KEY_ANNOUNCED:
            return msgspec.structs.replace(self, epoch=entry.epoch, hash=entry.hash)
        new = fingerprint(entry.public_key)
        if new in self.announced:
            raise NotGenuine(f"Epoch {entry.epoch} announces a key for the second time.")
        return Chain(self.anchor or new, entry.epoch, entry.hash, entry.public_key, self.announced | {new})

    def _first(self, entry: ConsentEntry) -> str:
        """The public key that the first entry announces; raises ``NotGenuine``."""
        is_first = entry.epoch == 1 and entry.previous_hash == GENESIS and entry.kind is EntryKind.KEY_ANNOUNCED
        if not is_first:
            raise NotGenuine("The ledger does not begin with the announcement of a key.")
        if self.anchor not in {"", fingerprint(entry.public_key)}:
            raise NotGenuine("The ledger begins with another key than the trusted one.")
        return entry.public_key


def content_hash(entry: ConsentEntry) -> str:
    """The hash of everything in an entry but its hash and signature."""
    content = msgspec.to_builtins(entry)
    content.pop("hash", None)
    content.pop("signature", None)
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def check_signature(entry: ConsentEntry, public_key: str) -> None:
    """Return when the entry's hash was signed by this key; raises ``NotGenuine``."""
    if not is_signed(_SIGNED_AS, entry.hash, entry.signature, public_key):
        raise NotGenuine(f"The signature of epoch {entry.epoch} is wrong.")


def is_signed(signed_as: bytes, content_hash: str, signature: str, public_key: str) -> bool:
    """Whether this key (hex) made the signature (hex) of the hash (hex) under these words."""
    try:
        _public(public_key).verify(_unhex(signature), signed_as + _unhex(content_hash))
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public_key: str) -> str:
    """The id of a key: SHA-256 (hex) of the 32 bytes of its public half (hex); raises ``NotGenuine``."""
    try:
        return hashlib.sha256(_unhex(public_key)).hexdigest()
    except ValueError as error:
        raise NotGenuine("A public key is misspelt.") from error


def disclosures(values: Mapping[str, str], salt: str) -> dict[str, Disclosed]:
    """Values that are not empty, each with a salt of its own made from one secret salt."""
    return {
        name: Disclosed(hmac.digest(salt.encode(), name.encode(), "sha256").hex(), value)
        for name, value in values.items()
        if value
    }


def digests(disclosed: Mapping[str, Disclosed]) -> dict[str, str]:
    """The digests of values as they stand in an entry."""
    return {
        name: hashlib.sha256(rfc8785.dumps([each.salt, name, each.value])).hexdigest()
        for name, each in disclosed.items()
    }


def check_disclosed(entry: ConsentEntry, disclosed: Mapping[str, Disclosed], names: Iterable[str] = ()) -> None:
    """Return when the values, among them all of ``names``, are those of the entry; raises ``NotGenuine``."""
    found = digests(disclosed)
    if any(entry.sealed.get(name) != digest for name, digest in found.items()) or not set(names) <= set(found):
        raise NotGenuine(f"What is shown beside epoch {entry.epoch} is not what was sealed in it.")


def _unhex(text: str) -> bytes:
    """The bytes of lower-case hex digits, of which there is one spelling only; raises ``ValueError``."""
    found = bytes.fromhex(text)
    if found.hex() != text:
        raise ValueError("not lower-case hex")
    return found


@functools.lru_cache(maxsize=16)
def _public(key: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(_unhex(key))
