"""Which traces are kept: a share that is drawn here, whatever a caller says about the trace that it began."""

import random
from typing import Final

from litestar.types import HTTPScope
from opentelemetry.trace import get_current_span

from services.runtime.telemetry import context_of

_TRACEPARENT: Final = b"traceparent"


def drawn(scope: HTTPScope, ratio: float) -> HTTPScope:
    """The request with its trace marked to be kept or not, a share (0 to 1) of all; the trace keeps its id.

    What begins here is drawn when its span begins. Nothing is drawn by the id, which is the caller's to choose.
    """
    if not any(name == _TRACEPARENT for name, _ in scope["headers"]):
        return scope
    headers = [(name, _marked(value, ratio) if name == _TRACEPARENT else value) for name, value in scope["headers"]]
    return {**scope, "headers": headers}


def _marked(traceparent: bytes, ratio: float) -> bytes:
    """The header with a mark of ours; empty when it names no trace."""
    found = get_current_span(context_of(traceparent.decode("latin-1"))).get_span_context()
    if not found.is_valid:
        return b""
    is_kept = random.random() < ratio  # noqa: S311 - guards nothing
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{is_kept:02x}".encode()
