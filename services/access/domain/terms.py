"""The terms of the programme by version, and who accepted them."""

from datetime import datetime

import msgspec

from contracts.errors import RuleBroken


class TermsDiffer(RuleBroken):
    """What is accepted must be the published version with the digest of its text."""

    code = "terms_differ"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the terms; ``document_sha256`` is the digest (hex) of its text."""

    version: str
    document_sha256: str
    published_at: datetime


class TermsAcceptance(msgspec.Struct, frozen=True, kw_only=True):
    """A party's acceptance: the person, the time, and what was read; ``accepted_by`` is a subject."""

    id: str
    party_id: str
    terms_version: str
    document_sha256: str
    name: str
    role: str
    accepted_by: str
    accepted_at: datetime
