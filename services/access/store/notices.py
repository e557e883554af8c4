"""Which notices factories have read, as documents; the notices themselves follow from the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from contracts.identity import Scope
from services.access.domain.notice import Notice
from services.runtime.aggregates import Aggregates
from services.runtime.documents import Documents
from services.runtime.relay import Relay

_MOST: Final = 200


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A factory has read a notice; ``by`` is the subject of the person."""

    notice_id: str
    factory_id: str
    by: str
    at: datetime


class Readings:
    """What of its notices every factory has read; the first reading stays."""

    def __init__(self, documents: Documents, *, source: str, relay: Relay) -> None:
        collection = documents.collection("notice_readings")
        self._readings = Aggregates(collection, Reading, source=source, relay=relay)

    async def among(self, notices: Sequence[Notice], scope: Scope) -> dict[str, Reading]:
        """The readings of these notices by their ids, of the factories in scope."""
        found: dict[str, Reading] = {}
        ids = [notice.id for notice in notices if scope.covers(notice.factory_id)]
        for start in range(0, len(ids), _MOST):
            page = await self._readings.find({"_id": {"$in": ids[start : start + _MOST]}}, limit=_MOST)
            found |= {reading.notice_id: reading for reading in page.items}
        return found

    async def add(self, notice: Notice, *, by: str, at: datetime) -> None:
        """Note that a notice was read; again changes nothing."""
        reading = Reading(notice_id=notice.id, factory_id=notice.factory_id, by=by, at=at)
        await self._readings.create(notice.id, reading, request=notice.id)
