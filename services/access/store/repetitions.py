"""Claimed requests as documents, written at the version that was read: of two gateways one is told to do it."""

from datetime import datetime
from typing import Any, Final

import msgspec

from contracts.errors import Conflict
from contracts.repetitions import Claim, Claimed, Ended
from services.access.domain.repetition import Repetition, claimed
from services.runtime.documents import Document, Documents, DuplicateKey, Index

ATTEMPTS: Final = 50
SWEPT: Final = 20
"""At each claim so many of those that are over are removed, so that they never gather."""


class Repetitions:
    """The claimed requests of everybody, by key."""

    def __init__(self, documents: Documents) -> None:
        self._claims = documents.collection("repetitions", (Index(("expires_ms",)),))

    async def claim(self, key: str, claim: Claim, *, now: datetime) -> Claimed:
        """Say what to do with a request; durable when it says so. Raises ``Conflict`` when others are too fast."""
        await self._sweep(now)
        for _ in range(ATTEMPTS):
            document = await self._claims.get(key)
            answer, changed = claimed(_state(document), claim, now)
            if changed is None or await self._write(key, document, changed, now):
                return answer
        raise Conflict("Too many others claim this request; try again.")

    async def end(self, key: str, ended: Ended, *, now: datetime) -> None:
        """Keep what an attempt ended with, durably; an attempt that is not the last one changes nothing."""
        for _ in range(ATTEMPTS):
            document = await self._claims.get(key)
            present = _state(document)
            changed = present.ended(ended) if present is not None else None
            if changed is None or await self._write(key, document, changed, now):
                return
        raise Conflict("Too many others claim this request; try again.")

    async def _write(self, key: str, present: Document | None, changed: Repetition, now: datetime) -> bool:
        """Write the next version; tell whether nobody was faster.

        Versions begin with the time in ms, so that no version of a removed document ever comes back.
        """
        version = int(present["version"]) if present else _ms(now)
        content: dict[str, Any] = {
            "_id": key,
            "version": version + 1,
            "expires_ms": _ms(changed.expires_at),
            "state": msgspec.json.decode(msgspec.json.encode(changed)),
        }
        if present is not None:
            return await self._claims.replace(content, if_version=version)
        try:
            await self._claims.insert(content)
        except DuplicateKey:
            return False
        return True

    async def _sweep(self, now: datetime) -> None:
        over = {"expires_ms": {"$lte": _ms(now)}}
        for document in (await self._claims.find(over, sort=[("expires_ms", 1)], limit=SWEPT)).documents:
            present = _state(document)
            removed = present.removed(now) if present is not None else None
            if removed is not None and await self._write(document["_id"], document, removed, now):
                await self._claims.delete(document["_id"])


def _state(document: Document | None) -> Repetition | None:
    return msgspec.convert(document["state"], Repetition, strict=False) if document is not None else None


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
