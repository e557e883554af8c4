"""A ZIP file that is written while it is sent: each entry's bytes are handed on as soon as they are there."""

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, Self

PIECE: Final = 64 * 1024
"""So much of a file is put into the archive at a time: no other request waits for all of a long one."""


class _Outbox(io.RawIOBase):
    """Takes bytes and gives them up again; as it cannot seek, the archive never goes back to change what was sent."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        """It takes bytes."""
        return True

    def write(self, data: object, /) -> int:
        """Take some bytes."""
        before = len(self._held)
        self._held += data  # type: ignore[arg-type]
        return len(self._held) - before

    def taken(self) -> bytes:
        """All that was written since the last time."""
        held = bytes(self._held)
        self._held.clear()
        return held


class Archive:
    """One archive, a context that ends it whatever happens; every entry is dated ``at``."""

    def __init__(self, at: datetime) -> None:
        self._outbox = _Outbox()
        self._zip = zipfile.ZipFile(self._outbox, "w", allowZip64=True)
        self._at = at.timetuple()[:6]

    @contextlib.contextmanager
    def file(self, path: str, *, is_text: bool) -> Iterator[Callable[[bytes], Iterator[bytes]]]:
        """A file in it, as long as the context lasts: what it is given it gives back as the bytes to send.

        Ask ``taken`` for what ends the file.
        """
        info = zipfile.ZipInfo(path, self._at)
        info.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
        with self._zip.open(info, "w") as file:

            def given(content: bytes) -> Iterator[bytes]:
                for start in range(0, len(content), PIECE):
                    file.write(content[start : start + PIECE])
                    yield self.taken()

            yield given

    def taken(self) -> bytes:
        """What is to be sent and was not given back yet."""
        return self._outbox.taken()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def end(self) -> bytes:
        """The directory at the end; without it no reader takes the archive for whole."""
        self._zip.close()
        return self.taken()
