"""What every adapter of the files port accepts: keys, prefixes and content types."""

import re

LONGEST_KEY = 700
"""With a service's prefix this stays below the 1,024 bytes of S3."""

LONGEST_WORD = 200
"""Stores that keep files in folders add a mark to each word, and a file name has 255 bytes."""

NESTED = "No file's key may lie under another file's key."

_WORD = re.compile(r"[A-Za-z0-9._-]+")
_CONTENT_TYPE = re.compile(r"[!-~]+(?: [!-~]+)*")


def check_key(key: str) -> str:
    """Give the key back; raises ``ValueError`` unless it is made of words, none of them ``.`` or ``..``."""
    if len(key) > LONGEST_KEY or not all(_is_word(word) for word in key.split("/")):
        raise ValueError("A file's key is made of words of A-Z a-z 0-9 . _ - with / between them.")
    return key


def folders_of(key: str) -> list[str]:
    """The keys that a file must not have if ``key`` is one: ``a`` and ``a/b`` for ``a/b/c``."""
    words = key.split("/")
    return ["/".join(words[:count]) for count in range(1, len(words))]


def check_prefix(prefix: str) -> str:
    """Give back the beginning of a key, which may stop inside a word; raises ``ValueError``."""
    *whole, last = prefix.split("/")
    if not all(_is_word(word) for word in whole) or not (last == "" or _WORD.fullmatch(last)):
        raise ValueError("A prefix is the beginning of a file's key.")
    return prefix


def check_content_type(content_type: str) -> str:
    """Give back a content type that fits one header line; raises ``ValueError``."""
    if len(content_type) > 127 or not _CONTENT_TYPE.fullmatch(content_type):
        raise ValueError("A content type is one short line of printable ASCII.")
    return content_type


def _is_word(word: str) -> bool:
    return len(word) <= LONGEST_WORD and word not in {".", ".."} and _WORD.fullmatch(word) is not None
