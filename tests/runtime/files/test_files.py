"""What every adapter of the files port promises, asked of a folder, MinIO and versitygw."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from services.runtime.files import ChecksumMismatch, FileMissing, FileTooLarge, StoredFile
from tests.runtime.files.stores import ROOMY, Store, broken_off, chunked, digest, keys, put, read

MIB = 1024 * 1024
PART = 5 * MIB
BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a b",
    "a~b",
    "é",
    "a\n",
    "a\x00b",
    "a\\b",
    "w" * 201,
]


@pytest.mark.parametrize("size", [0, 1, 255 * 1024 + 1, PART - 1, PART, PART + 1, 2 * PART + 1])
async def test_what_was_put_comes_back_byte_for_byte(store: Store, size: int) -> None:
    content = bytes(i * 7 % 251 for i in range(1024)) * (size // 1024 + 1)
    content = content[:size]
    stored = await put(store.files, "reports/2026/a.pdf", content)
    assert stored == StoredFile("reports/2026/a.pdf", size, digest(content), "text/plain")
    assert await store.files.stat("reports/2026/a.pdf") == stored
    assert await read(store.files, "reports/2026/a.pdf") == content


async def test_the_content_type_comes_back_as_it_was_put(store: Store) -> None:
    content_type = 'application/vnd.ms-excel; name="a,b"; charset=utf-8'
    await store.files.put("a", chunked(b"x"), content_type=content_type, max_bytes=1)
    assert (await store.files.stat("a")).content_type == content_type


@pytest.mark.parametrize(
    "content_type", ["", "text/plain\r\nx-amz-acl: public-read", "text/plän", " text/plain", "t" * 128]
)
async def test_a_content_type_that_fits_no_header_is_refused(store: Store, content_type: str) -> None:
    with pytest.raises(ValueError, match="content type"):
        await store.files.put("a", chunked(b"x"), content_type=content_type, max_bytes=1)


async def test_memory_stays_flat_whatever_the_size(store: Store) -> None:
    chunk, count = b"x" * 65_536, 384

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield chunk

    tracemalloc.start()
    try:
        await store.files.put("big", endless(), content_type="text/plain", max_bytes=ROOMY)
        size = 0
        async for piece in store.files.stream("big"):
            size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == count * len(chunk) == 24 * MIB
    assert peak < 16 * MIB


async def test_bytes_with_the_announced_checksum_are_kept(store: Store) -> None:
    await put(store.files, "a", b"content", sha256=digest(b"content").upper())
    assert await read(store.files, "a") == b"content"


async def test_bytes_with_another_checksum_are_refused_and_the_older_version_stays(store: Store) -> None:
    await put(store.files, "a", b"older")
    with pytest.raises(ChecksumMismatch):
        await put(store.files, "a", b"content", sha256=digest(b"announced"))
    with pytest.raises(ChecksumMismatch):
        await put(store.files, "new", b"content", sha256=digest(b"announced"))
    assert await read(store.files, "a") == b"older"
    assert await keys(store.files) == ["a"]


async def test_exactly_the_allowed_size_is_kept(store: Store) -> None:
    assert (await put(store.files, "a", b"12345", max_bytes=5)).size == 5


@pytest.mark.parametrize("size", [6, 6 * MIB])
async def test_a_file_that_is_too_large_is_refused_and_the_older_version_stays(store: Store, size: int) -> None:
    await put(store.files, "a", b"older")
    for key in ("a", "new"):
        with pytest.raises(FileTooLarge):
            await put(store.files, key, b"x" * size, max_bytes=size - 1)
    assert await read(store.files, "a") == b"older"
    assert await keys(store.files) == ["a"]


async def test_too_many_bytes_are_refused_as_they_come_and_not_at_the_end(store: Store) -> None:
    drawn = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal drawn
        while True:
            drawn += 1
            yield b"x" * 1024

    with pytest.raises(FileTooLarge):
        await store.files.put("a", endless(), content_type="text/plain", max_bytes=10 * 1024)
    assert drawn == 11


@pytest.mark.parametrize("size", [10, 7 * MIB])
async def test_a_stream_that_breaks_off_leaves_nothing_and_the_older_version_stays(store: Store, size: int) -> None:
    await put(store.files, "a", b"older")
    for key in ("a", "new"):
        with pytest.raises(ConnectionError, match="the line went dead"):
            await store.files.put(key, broken_off(b"x" * size), content_type="text/plain", max_bytes=ROOMY)
    assert await read(store.files, "a") == b"older"
    assert await keys(store.files) == ["a"]


async def test_a_cancelled_put_leaves_nothing(store: Store) -> None:
    waiting = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        waiting.set()
        await asyncio.sleep(3600)

    putting = asyncio.create_task(store.files.put("a", stalled(), content_type="text/plain", max_bytes=ROOMY))
    await waiting.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await keys(store.files) == []


async def test_a_file_can_be_replaced(store: Store) -> None:
    await put(store.files, "a", b"older")
    await put(store.files, "a", b"newer one")
    assert await read(store.files, "a") == b"newer one"
    assert await keys(store.files) == ["a"]


async def test_who_reads_while_the_file_is_replaced_gets_the_older_version_whole(store: Store) -> None:
    older, newer = b"o" * (3 * MIB), b"n" * MIB
    await put(store.files, "a", older)
    reading = store.files.stream("a")
    first = await anext(reading)
    await put(store.files, "a", newer)
    assert first + b"".join([chunk async for chunk in reading]) == older
    assert await read(store.files, "a") == newer


async def test_a_reader_may_stop_early_again_and_again(store: Store) -> None:
    await put(store.files, "a", b"x" * (2 * MIB))
    for _ in range(40):
        reading = store.files.stream("a")
        assert await anext(reading)
        await reading.aclose()
    assert len(await read(store.files, "a")) == 2 * MIB


@pytest.mark.parametrize("key", ["missing", "known/missing", "known"])
async def test_a_missing_file_is_told_as_such(store: Store, key: str) -> None:
    await put(store.files, "known/file", b"x")
    with pytest.raises(FileMissing):
        await store.files.stat(key)
    with pytest.raises(FileMissing):
        await read(store.files, key)
    assert await store.files.delete(key) is False


async def test_a_deleted_file_is_gone(store: Store) -> None:
    await put(store.files, "a/b", b"x")
    assert await store.files.delete("a/b") is True
    assert await store.files.delete("a/b") is False
    with pytest.raises(FileMissing):
        await store.files.stat("a/b")
    assert await keys(store.files) == []


async def test_a_file_may_take_the_name_of_a_folder_that_was_emptied(store: Store) -> None:
    await put(store.files, "a/b", b"x")
    await store.files.delete("a/b")
    await put(store.files, "a", b"y")
    assert await keys(store.files) == ["a"]


async def test_keys_are_listed_in_the_order_of_their_code_points(store: Store) -> None:
    names = ["B", "a-b", "a.b", "a/b", "a/b-c/d", "a/c", "a0", "a_", "b/c.d/e", "b/c-d", "b/c/d", "..a", ".b/c", "z-/x"]
    for name in names:
        await put(store.files, name, b"x")
    assert await keys(store.files) == sorted(names)


async def test_a_list_takes_the_beginning_of_keys_as_its_prefix(store: Store) -> None:
    for name in ("reports/2025/a", "reports/2026/a", "reports/2026/b", "reports-old/a", "rep"):
        await put(store.files, name, b"x")
    assert await keys(store.files, "reports/2026/") == ["reports/2026/a", "reports/2026/b"]
    assert await keys(store.files, "reports/202") == ["reports/2025/a", "reports/2026/a", "reports/2026/b"]
    assert await keys(store.files, "reports-") == ["reports-old/a"]
    assert await keys(store.files, "reports/2026/a") == ["reports/2026/a"]
    assert await keys(store.files, "none/") == []


async def test_one_service_does_not_see_the_files_of_another(store: Store) -> None:
    await put(store.files, "a", b"mine")
    neighbour = store.neighbour()
    await neighbour.start()
    try:
        await put(neighbour, "a", b"theirs")
        await put(neighbour, "b", b"theirs")
        assert await read(store.files, "a") == b"mine"
        assert await keys(store.files) == ["a"]
    finally:
        await neighbour.stop()


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_bad_key_is_refused(store: Store, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        await put(store.files, key, b"x")
    with pytest.raises(ValueError, match="key"):
        await store.files.stat(key)
    with pytest.raises(ValueError, match="key"):
        await read(store.files, key)
    with pytest.raises(ValueError, match="key"):
        await store.files.delete(key)


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "a b", "~", "\x00"])
async def test_a_bad_prefix_is_refused(store: Store, prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        await keys(store.files, prefix)


@pytest.mark.parametrize(("first", "second"), [("a/b", "a/b/c/d"), ("a/b/c/d", "a/b"), ("a", "a/b")])
async def test_no_file_lies_under_another(store: Store, first: str, second: str) -> None:
    await put(store.files, first, b"first")
    with pytest.raises(ValueError, match="under another"):
        await put(store.files, second, b"second")
    assert await keys(store.files) == [first]


async def test_of_files_put_at_the_same_time_under_one_key_one_stays_whole(store: Store) -> None:
    contents = [bytes([65 + i]) * (MIB + i) for i in range(8)]
    await asyncio.gather(*(put(store.files, "a", content) for content in contents))
    kept = await read(store.files, "a")
    assert kept in contents
    assert (await store.files.stat("a")).sha256 == digest(kept)
    assert await keys(store.files) == ["a"]


async def test_damaged_bytes_are_told_after_the_last_one(store: Store) -> None:
    await put(store.files, "a", b"x" * 300_000)
    store.damage("a")
    size = 0

    async def drain() -> None:
        nonlocal size
        async for chunk in store.files.stream("a"):
            size += len(chunk)

    with pytest.raises(ChecksumMismatch):
        await drain()
    assert size == 300_000


async def test_a_started_store_answers_a_ping_and_may_be_started_again(store: Store) -> None:
    await store.files.start()
    await store.files.ping()
