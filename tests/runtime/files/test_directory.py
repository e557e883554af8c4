"""What only a folder can go through: killed writers, a failing disk, damaged records."""

import asyncio
import random
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.runtime.files import ChecksumMismatch
from services.runtime.files.directory import DirectoryFiles
from services.runtime.unavailable import StoreUnavailable
from tests.runtime.files.stores import keys, put, read
from tests.runtime.files.writer import KEYS

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[DirectoryFiles]:
    started = DirectoryFiles(tmp_path, "assessment")
    await started.start()
    yield started
    await started.stop()


def files_of(tmp_path: Path) -> DirectoryFiles:
    return DirectoryFiles(tmp_path, "assessment")


def files_on_disk(tmp_path: Path) -> list[str]:
    folder = tmp_path / "assessment"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != "~~lock")


def write_and_kill(tmp_path: Path, seed: int, after_s: float) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.files.writer", str(tmp_path), str(seed)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"started\n"
        time.sleep(after_s)
        writer.kill()


@pytest.mark.crash
async def test_a_writer_killed_at_any_moment_leaves_only_whole_files(tmp_path: Path) -> None:
    chance = random.Random(20260101)
    survived, stale = 0, 0
    for seed in range(12):
        await asyncio.to_thread(write_and_kill, tmp_path, seed, chance.uniform(0.02, 0.25))
        before = files_on_disk(tmp_path)
        files = DirectoryFiles(tmp_path, "assessment")
        await files.start()
        for key in await keys(files):
            content = await read(files, key)
            assert content == f"{key}:".encode() * (len(content) // len(f"{key}:"))
            assert (await files.stat(key)).size == len(content)
            survived += 1
        names = [name for name in files_on_disk(tmp_path) if "~" in name]
        assert len(names) == 2 * len(await keys(files)), "a draft or an old version was not swept"
        stale += len(before) - len(files_on_disk(tmp_path))
        await files.stop()
    assert set(await keys(files_of(tmp_path))) <= set(KEYS)
    assert survived > 12
    assert stale > 0, "no kill ever hit a write: the test proves nothing"


@contextmanager
def a_disk_that_fails_after(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [1_000_001, 3_000_000])
async def test_a_disk_that_fails_in_the_middle_leaves_nothing_behind(
    files: DirectoryFiles, tmp_path: Path, size: int
) -> None:
    await put(files, "a", b"older")
    before = files_on_disk(tmp_path)
    with a_disk_that_fails_after(1_000_000), pytest.raises(StoreUnavailable):
        await put(files, "a", b"x" * size)
    assert files_on_disk(tmp_path) == before
    assert await read(files, "a") == b"older"


async def test_a_disk_that_cannot_take_the_record_leaves_nothing_behind(files: DirectoryFiles, tmp_path: Path) -> None:
    with a_disk_that_fails_after(50), pytest.raises(StoreUnavailable):
        await put(files, "a", b"x" * 40)
    assert files_on_disk(tmp_path) == []


async def test_replacing_and_deleting_leave_no_old_version(files: DirectoryFiles, tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        await put(files, "a", content)
    assert len(files_on_disk(tmp_path)) == 2
    await files.delete("a")
    assert files_on_disk(tmp_path) == []


async def test_start_sweeps_drafts_old_versions_and_empty_folders(files: DirectoryFiles, tmp_path: Path) -> None:
    await put(files, "a/b", b"kept")
    await put(files, "c/d/e", b"gone")
    await files.delete("c/d/e")
    await files.stop()
    kept = [name for name in files_on_disk(tmp_path) if name.startswith("a")]
    for name in ("00~b", "00.new~b", "00~never-named"):
        (tmp_path / "assessment" / "a" / name).write_bytes(b"stale")
    again = files_of(tmp_path)
    await again.start()
    assert files_on_disk(tmp_path) == kept
    assert await read(again, "a/b") == b"kept"
    await again.stop()


async def test_nothing_is_swept_while_another_process_writes(files: DirectoryFiles, tmp_path: Path) -> None:
    draft_is_there, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        draft_is_there.set()
        await go_on.wait()

    putting = asyncio.create_task(files.put("a", slow(), content_type="text/plain", max_bytes=2_000_000))
    await draft_is_there.wait()
    newcomer = files_of(tmp_path)
    await newcomer.start()
    go_on.set()
    await putting
    assert len(await read(newcomer, "a")) == 1_000_000
    await newcomer.stop()


async def test_a_damaged_record_is_told_and_its_bytes_are_not_swept(files: DirectoryFiles, tmp_path: Path) -> None:
    await put(files, "a", b"content")
    record = tmp_path / "assessment" / "~a"
    whole = record.read_bytes()
    for damaged in (whole[:-5], b"\xff" + whole[1:], b"", whole.replace(b'"version":"', b'"version":"0')):
        record.write_bytes(damaged)
        with pytest.raises(ChecksumMismatch):
            await read(files, "a")
        await files.stop()
        files = files_of(tmp_path)
        await files.start()
    record.write_bytes(whole)
    assert await read(files, "a") == b"content"
    record.write_bytes(b"")
    await put(files, "a", b"put again")
    assert await read(files, "a") == b"put again"
    await files.stop()


async def test_bytes_that_are_gone_are_told(files: DirectoryFiles, tmp_path: Path) -> None:
    await put(files, "a", b"content")
    next((tmp_path / "assessment").glob("?*~a")).unlink()
    with pytest.raises(ChecksumMismatch):
        await read(files, "a")


async def test_files_are_private_to_the_user(files: DirectoryFiles, tmp_path: Path) -> None:
    await put(files, "a/b", b"content")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "assessment").rglob("*"))


async def test_a_folder_that_is_gone_cannot_serve(files: DirectoryFiles, tmp_path: Path) -> None:
    (tmp_path / "assessment").rename(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="No such file"):
        await files.ping()
