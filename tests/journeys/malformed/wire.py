"""One connection for one attack: bytes out, and whatever answers come back."""

import asyncio
import contextlib
from typing import Final
from urllib.parse import urlsplit

import httptools
import msgspec

PATIENCE_S: Final = 20.0
MOST_ANSWERS: Final = 20
READ: Final = 256 * 1024


class Answer(msgspec.Struct):
    """An answer as it came over the wire; header names in lower case."""

    status: int = 0
    headers: list[tuple[str, str]] = []
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header, empty when there is none."""
        return next((value for key, value in self.headers if key == name), "")


class NotHttp(Exception):
    """What came back cannot be read as HTTP."""


class _Answers:
    """Gathers the answers of one connection."""

    def __init__(self) -> None:
        self.found: list[Answer] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self.found.append(Answer())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.found[-1].headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.found[-1].status = self.parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self.found[-1].body += body


async def exchanged(url: str, content: bytes, *, patience_s: float = PATIENCE_S) -> list[Answer]:
    """Send all of it and read until the other end closes, or until nothing more can be hoped for.

    Raises ``NotHttp``. A connection that is closed early, or on which nothing comes, has no answer.
    """
    address, answers = urlsplit(url), _Answers()
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=READ)
    sending = asyncio.ensure_future(_sent(writer, content))
    try:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(patience_s):
                while piece := await reader.read(READ):
                    answers.parser.feed_data(piece)
                    if len(answers.found) > MOST_ANSWERS:
                        break
    except httptools.HttpParserError as error:
        raise NotHttp(f"{error}: {[each.body[:200] for each in answers.found]}") from error
    finally:
        sending.cancel()
        writer.transport.abort()
        await asyncio.wait({sending})
    return answers.found


async def _sent(writer: asyncio.StreamWriter, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(content)
        await writer.drain()
