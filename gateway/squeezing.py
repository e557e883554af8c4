"""Compression of answers that are text: gzip, as the caller prefers it, whole or while it streams.

NOTE: compression tells the length of what it finds twice. An attacker who can put text into an answer and watch its
length could so guess a secret beside it (BREACH). Here no body ever holds a token, cookie or key, and no browser sends
a token by itself, so that nobody can make another person's browser ask.
"""

import zlib
from collections.abc import AsyncIterator
from typing import Final

SMALLEST_BYTES: Final = 1024
LEVEL: Final = 5

_TEXTS: Final = (b"application/json", b"application/x-ndjson", b"text/csv")
_GZIP: Final = 16 + zlib.MAX_WBITS
_FLUSHED_EVERY: Final = 256 * 1024
"""At the latest after so many bytes the caller gets what there is, for the sake of whoever reads along."""


def is_text(content_type: bytes) -> bool:
    """Whether an answer of this type gets smaller; documents and photographs are compressed already."""
    return content_type.startswith(_TEXTS)


def prefers_gzip(accepted: str | None) -> bool:
    """Whether the ``Accept-Encoding`` of a request allows gzip and likes it no less than none."""
    if not accepted:
        return False
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        weights[name.strip()] = _weight(parameters)
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def squeezed(body: bytes) -> bytes:
    """The whole body as gzip; the same bytes always give the same bytes."""
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return stream.compress(body) + stream.flush()


async def squeezing(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks as one gzip stream, some of them put together."""
    stream, held = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP), 0
    async for chunk in chunks:
        held += len(chunk)
        out = stream.compress(chunk)
        if held >= _FLUSHED_EVERY:
            out, held = out + stream.flush(zlib.Z_SYNC_FLUSH), 0
        if out:
            yield out
    yield stream.flush()


def _weight(parameters: str) -> float:
    """The ``q`` of a part of the header: 1 unless it says otherwise, 0 when it cannot be read."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
