"""Text that people write: kept in one form, and refused when a screen or a line of a log could not show it."""

import unicodedata

from contracts.errors import Malformed


def plain(text: str, field: str) -> str:
    """Text in NFC without white space around it; raises ``Malformed`` when it is empty or holds control characters."""
    kept = unicodedata.normalize("NFC", text).strip()
    if not kept or any(unicodedata.category(character) in {"Cc", "Cs"} for character in kept):
        raise Malformed(f"{field} must hold text, without control characters.")
    return kept
