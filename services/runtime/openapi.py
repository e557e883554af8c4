"""What Litestar cannot tell from a handler: that its body, or its answer, is the bytes of a file."""

from collections.abc import Sequence
from dataclasses import dataclass

from litestar.openapi import spec


def of_bytes(
    *, takes: Sequence[str] = (), gives: Sequence[str] = (), may_be_empty: bool = False
) -> type[spec.Operation]:
    """The ``operation_class`` of a handler that takes, or answers 200 with, a file of one of these media types.

    With ``may_be_empty`` nothing at all is taken too.
    """

    @dataclass
    class OfBytes(spec.Operation):
        def __post_init__(self) -> None:
            if takes:
                about = "The file as it is"
                self.request_body = spec.RequestBody(_content(takes), description=about, required=not may_be_empty)
            answer = (self.responses or {}).get("200")
            if gives and isinstance(answer, spec.OpenAPIResponse):
                answer.description, answer.content = "The file as it was stored", _content(gives)

    return OfBytes


def _content(media_types: Sequence[str]) -> dict[str, spec.OpenAPIMediaType]:
    binary = spec.Schema(type=spec.OpenAPIType.STRING, format=spec.OpenAPIFormat.BINARY)
    return {media_type: spec.OpenAPIMediaType(schema=binary) for media_type in media_types}
