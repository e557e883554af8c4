"""How a folder holds files: names, records, the walk in key order, and the sweep of what a killed process left.

For the key ``a/b.pdf`` the folder ``a`` holds ``<version>~b.pdf``, the bytes, and ``~b.pdf``, the record that names
the version. Keys have no ``~``, so nothing here can be mistaken for a key's folder.
"""

import os
import threading
from collections.abc import Iterator
from io import BufferedWriter
from pathlib import Path

import msgspec

from services.runtime.files import ChecksumMismatch, FileMissing, StoredFile

_MARK = "~"
_making_folders = threading.Lock()
"""A folder that another thread has just made is not durable yet."""


class Record(msgspec.Struct, frozen=True):
    """What is known of the current version of a file."""

    version: str
    size: int
    sha256: str
    content_type: str

    def described(self, key: str) -> StoredFile:
        """The record as the port tells it."""
        return StoredFile(key, self.size, self.sha256, self.content_type)


def record_path(folder: Path, key: str) -> Path:
    """Where a key's record is."""
    return bytes_path(folder, key, "")


def bytes_path(folder: Path, key: str, version: str) -> Path:
    """Where one version's bytes are."""
    path = folder / key
    return path.with_name(f"{version}{_MARK}{path.name}")


def read_record(folder: Path, key: str) -> Record:
    """The record of a key; raises ``FileMissing``, and ``ChecksumMismatch`` when the record is damaged."""
    return _decoded(record_path(folder, key))


def _decoded(path: Path) -> Record:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError as error:
        raise FileMissing("There is no such file.") from error
    except msgspec.DecodeError as error:
        raise ChecksumMismatch("The record of the file is damaged.") from error


def write_private(path: Path) -> BufferedWriter:
    """Create a file that only this user may read; raises ``FileExistsError``."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def flush_and_close(file: BufferedWriter) -> None:
    """Close a file once its bytes are on the disk."""
    file.flush()
    os.fsync(file.fileno())
    file.close()


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents for this user alone, so that they survive a power cut."""
    with _making_folders:
        _make_folder(path)


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        fsync_folder(path.parent)


def fsync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def keys_under(folder: Path, prefix: str, above: str = "") -> Iterator[str]:
    """Yield the keys that begin with a prefix, in the order of their code points."""
    for found in sorted(_keys_and_folders(folder)):
        key = above + found
        if key.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from keys_under(folder / found, prefix, key)
        elif key.startswith(prefix):
            yield key


def _keys_and_folders(folder: Path) -> Iterator[str]:
    """Last words of keys, and folders with the ``/`` that decides their place in the order."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        version, mark, word = entry.name.partition(_MARK)
        if entry.is_dir(follow_symlinks=False):
            yield f"{entry.name}/"
        elif mark and not version and _MARK not in word:
            yield word


def sweep(folder: Path) -> None:
    """Remove drafts, versions that no record names, and empty folders; only while nobody writes here."""
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            sweep(Path(entry.path))
            if not list(os.scandir(entry.path)):
                Path(entry.path).rmdir()
    for word, versions in _versions(folder).items():
        for version in versions - _kept(folder / f"{_MARK}{word}", versions):
            (folder / f"{version}{_MARK}{word}").unlink()


def _versions(folder: Path) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for entry in os.scandir(folder):
        version, _, word = entry.name.partition(_MARK)
        if version and word:
            versions.setdefault(word, set()).add(version)
    return versions


def _kept(record: Path, versions: set[str]) -> set[str]:
    try:
        named = {_decoded(record).version}
    except FileMissing:
        return set()
    except ChecksumMismatch:
        return versions
    if not named <= versions:
        return versions  # a damaged record may yet be mended
    return named
