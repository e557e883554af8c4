"""The terms of the programme by version, and who accepted them."""

from datetime import datetime

import msgspec

from contracts.errors import RuleBroken
from services.access.domain.paper import Paper


class TermsDiffer(RuleBroken):
    """What is accepted must be the published version with the digest of its text."""

    code = "terms_differ"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the terms; ``document_sha256`` is the digest (hex) of its document.

    An earlier release kept no ``document``.
    """

    version: str
    document_sha256: str
    published_at: datetime
    document: Paper | None = None

    def with_document(self, paper: Paper | None) -> "Terms":
        """The version with its document, unless it has one already."""
        return self if self.document is not None else msgspec.structs.replace(self, document=paper)

    def demand_is(self, document_sha256: str) -> None:
        """Raise ``TermsDiffer`` unless this is what was read: nobody accepts what nobody can read."""
        if self.document is None:
            raise TermsDiffer("The document of this version is not kept, so that nobody can read it.")
        if self.document_sha256 != document_sha256:
            raise TermsDiffer("What was read is not the text of this version.")


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
