"""What a printed report says in one language apart from the questionnaire's own words: one JSON file each."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from contracts.errors import Malformed

FOLDER: Final = Path(__file__).resolve().parent.parent / "labels"
FALLBACK: Final = "en"


class LanguageNotAvailable(Malformed):
    """The report cannot be printed in this language."""

    code = "language_not_available"


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message catalogue; texts with ``{...}`` are filled by ``str.format``."""

    language: str
    programme: str
    title: str
    headings: dict[str, str]
    details: dict[str, str]
    release: dict[str, str]
    confidentiality: str
    tiles: dict[str, str]
    columns: dict[str, str]
    results: dict[str, str]
    of: str
    chart_note: str
    no_findings: str
    no_findings_in: str
    question: str
    basis: dict[str, str]
    reference: str
    public_issue: str
    references_note: str
    method: tuple[str, ...]
    method_short: str
    yes: str
    no: str
    women: str
    men: str
    footer: str
    end: str
    clusters: dict[str, str]
    points: dict[str, str]
    countries: dict[str, str]
    industries: dict[str, str]


@cache
def words(language: str) -> Words:
    """The catalogue of a language that ``available`` named."""
    return msgspec.json.decode((FOLDER / f"{language}.json").read_bytes(), type=Words)


@cache
def _catalogues() -> frozenset[str]:
    return frozenset(path.stem for path in FOLDER.glob("*.json"))


def available(languages: Sequence[str]) -> tuple[str, ...]:
    """The languages of a questionnaire in which a report can be printed, its own first; never empty.

    A questionnaire in none of our languages is printed with English headings around its own words.
    """
    return tuple(language for language in languages if language in _catalogues()) or (FALLBACK,)


def chosen(asked: str | None, languages: Sequence[str]) -> str:
    """The language to print in; raises ``LanguageNotAvailable`` naming those that there are."""
    offered = available(languages)
    if asked is None:
        return offered[0]
    if asked not in offered:
        raise LanguageNotAvailable(f"The report can be had in: {', '.join(offered)}.")
    return asked
