"""What an attack is made of: a request in pieces that each maker may bend, and how it is put on the wire."""

import random
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from tests.journeys.routes import CALLS, Operation, Stage, filled

PREFIX: Final = "/api/v1"
STRANGERS: Final = ("nobody", "other_factory", "other_buyer", "analyst")
"""Who has no business with anything of the stage."""

CALLERS: Final = (*STRANGERS, "factory", "buyer", "admin", "leader", "advisor")


class Attack(msgspec.Struct, frozen=True):
    """Bytes for one connection.

    ``is_framed`` says that the framing itself is sound, so that an answer is owed; ``is_foreign`` that the request is
    about something that the caller may know nothing of.
    """

    kind: str
    caller: str
    content: bytes
    is_framed: bool = True
    is_foreign: bool = False
    patience_s: float = 20.0


class Request(msgspec.Struct, kw_only=True):
    """A request in pieces."""

    method: str
    path: str
    query: str = ""
    headers: list[tuple[bytes, bytes]] = []
    body: bytes = b""
    has_length: bool = True

    def on_the_wire(self, *, is_last: bool = True) -> bytes:
        """The bytes, on a connection that is closed after the last answer."""
        target = self.path + (f"?{self.query}" if self.query else "")
        lines = [f"{self.method} {target} HTTP/1.1".encode("utf-8", "surrogateescape"), b"host: star"]
        lines += [name + b": " + value for name, value in self.headers]
        if self.has_length and (self.body or self.method in {"POST", "PUT", "PATCH"}):
            lines.append(b"content-length: %d" % len(self.body))
        return b"\r\n".join([*lines, *([b"connection: close"] if is_last else []), b"", b""]) + self.body


class Ground(msgspec.Struct, frozen=True):
    """What the makers of attacks know of the country: things, tokens, and the seeded chance."""

    stage: Stage
    tokens: Mapping[str, str]
    chance: random.Random

    def operation(self, among: Sequence[Operation] = tuple(CALLS)) -> Operation:
        """Some route."""
        return self.chance.choice(among)

    def caller(self) -> str:
        """Somebody, who more often than not has no business here."""
        return self.chance.choice(CALLERS)

    def request(self, operation: Operation, caller: str, ids: Mapping[str, str] | None = None) -> Request:
        """A sound request of a route, by somebody."""
        call, (method, template) = CALLS[operation], operation
        things = self.stage.ids if ids is None else ids
        request = Request(method=method, path=PREFIX + quote(filled(template, things), safe="/%"))
        request.query = filled(call.query, things)
        request.headers = [] if caller == "nobody" else [self.bearer(self.tokens[caller])]
        if call.body is not None:
            request.headers.append((b"content-type", b"application/json"))
            request.body = msgspec.json.encode(filled(call.body, things))
        return request

    def bearer(self, token: str) -> tuple[bytes, bytes]:
        """The header that carries a token."""
        return b"authorization", b"Bearer " + token.encode("utf-8", "surrogateescape")
