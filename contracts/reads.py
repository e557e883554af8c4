"""What a gateway tells access of reads before it shows anything: who, when, what, on which ground.

A read is told when it was granted and is about to be answered, and answered only once it is on record: an entry means
that the answer was about to be sent. Whether the last byte arrived it does not say.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from contracts.identifiers import Id
from contracts.vocabulary import ReportKind

MOST_READS: Final = 512
"""The reads of one batch."""

MOST_GROUNDS: Final = 100
"""Of one read: the newest of them, when there are more."""

_Party = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9_-]{1,64})?(?!\n)$")]
_Word = Annotated[str, msgspec.Meta(max_length=300)]


class Act(StrEnum):
    """What the reader learned of the documents."""

    READ = "read"
    """Their content, whole or in part."""

    LISTED = "listed"
    """What a list says of them."""

    CONFIRMED = "confirmed"
    """That they are there, and perhaps that the reader's copy is the current one; nothing of their content."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """One granted read of what one factory shares, by one person of a buyer or of the factory's group.

    Exactly one of ``buyer_id`` and ``group_id`` is told. A read without ``kinds`` is one of the factory's profile.

    ``at`` is the gateway's clock, ``epoch`` the place on the consent ledger of the decision, ``grounds`` are the ids of
    the grants and disclosures by which the buyer sees these ``kinds`` and ``cycles``, the newest first. ``route`` is
    the template of the address, with no id in it, ``trace_id`` finds the request.
    """

    id: Id
    at: datetime
    act: Act
    factory_id: Id
    buyer_id: _Party
    subject: _Word
    name: _Word
    kinds: tuple[ReportKind, ...]
    cycles: tuple[int, ...]
    documents: Annotated[tuple[Id, ...], msgspec.Meta(max_length=500)]
    route: _Word
    epoch: int
    grounds: Annotated[tuple[Id, ...], msgspec.Meta(max_length=MOST_GROUNDS)]
    trace_id: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?(?!\n)$")]
    group_id: _Party = ""


class ReadBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Reads that are put on record together; the same ``id`` again is the same batch and changes nothing."""

    id: Id
    reads: Annotated[tuple[Read, ...], msgspec.Meta(min_length=1, max_length=MOST_READS)]
