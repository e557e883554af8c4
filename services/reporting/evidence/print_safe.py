"""Text that can be printed whatever somebody typed: only characters of our fonts, no unbreakable word, no controls.

PDF/A refuses a document with a character that no font has; a report must not be lost to a name with an emoji.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

FONTS: Final = Path(__file__).resolve().parent.parent / "fonts"
LONGEST_WORD: Final = 24
UNKNOWN: Final = "?"
_BREAK: Final = "\u200b"
_LONG: Final = re.compile(rf"\S{{{LONGEST_WORD}}}(?=\S)")
# Embeddings, overrides and isolates would reorder the words around the text; plain marks only touch their neighbours.
_REORDERING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


@cache
def covered() -> frozenset[int]:
    """The code points that both weights of a family have, over all families."""
    families: dict[str, set[int]] = {}
    for line in (FONTS / "coverage.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, *ranges = line.split()
        points = {point for part in ranges for point in _points(part)}
        family = name.partition("-")[0]
        families[family] = families[family] & points if family in families else points
    return frozenset().union(*families.values())


def _points(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)


def print_safe(text: str) -> str:
    """The text on one line: normalised, without reordering marks, unknown characters as ``?``, long words breakable."""
    line = " ".join(_REORDERING.sub("", unicodedata.normalize("NFC", text)).split())
    known = "".join(char if ord(char) in covered() else UNKNOWN for char in line)
    return _LONG.sub(lambda found: found[0] + _BREAK, known)
