"""What only an S3 server can do to us: stop, freeze, cut an upload, forbid the bucket, hold what others put there."""

import asyncio
import io
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from services.runtime.files import ChecksumMismatch, FileMissing
from services.runtime.unavailable import StoreUnavailable
from tests.runtime.files.stores import BUCKET, S3Store, chunked, keys, put, read, s3_files
from tests.servers import S3Endpoint, Server, minio, versitygw

pytestmark = pytest.mark.servers

MIB = 1024 * 1024
PATIENCE_S = 12
START: dict[str, Callable[[Path], Server]] = {"minio": minio, "versitygw": versitygw}


@pytest.fixture(params=["minio", "versitygw"])
def endpoint(request: pytest.FixtureRequest) -> S3Endpoint:
    return cast("S3Endpoint", request.getfixturevalue(f"{request.param}_endpoint"))


@pytest.fixture
async def store(endpoint: S3Endpoint) -> AsyncIterator[S3Store]:
    started = S3Store(endpoint)
    await started.files.start()
    yield started
    await started.files.stop()


@pytest.fixture(params=["minio", "versitygw"])
async def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Server, S3Store]]:
    server = START[request.param](tmp_path)
    if server.external:
        pytest.skip("a foreign deployment is not ours to stop")
    with server:
        started = S3Store(server.endpoint)  # type: ignore[attr-defined]
        await started.files.start()
        await put(started.files, "kept", b"kept")
        yield server, started
        await started.files.stop()


async def fails_in_time(operation: AsyncIterator[object] | asyncio.Future[object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(StoreUnavailable):
            await operation if asyncio.isfuture(operation) else await anext(operation)


async def every_operation_fails_in_time(store: S3Store) -> None:
    files = store.files
    started = time.monotonic()
    await asyncio.gather(
        fails_in_time(asyncio.ensure_future(files.ping())),
        fails_in_time(asyncio.ensure_future(files.stat("kept"))),
        fails_in_time(asyncio.ensure_future(files.delete("kept"))),
        fails_in_time(asyncio.ensure_future(put(files, "new", b"x"))),
        fails_in_time(asyncio.ensure_future(put(files, "large", b"x" * 12 * MIB))),
        fails_in_time(files.stream("kept")),
        fails_in_time(files.list()),
    )
    assert time.monotonic() - started < PATIENCE_S


async def test_a_stopped_server_is_told_in_time_and_served_by_again(own_server: tuple[Server, S3Store]) -> None:
    server, store = own_server
    await asyncio.to_thread(server.stop)
    await every_operation_fails_in_time(store)
    await asyncio.to_thread(server.start)
    await store.files.ping()
    assert await read(store.files, "kept") == b"kept"
    await put(store.files, "new", b"new")
    assert await keys(store.files) == ["kept", "new"]


async def test_a_frozen_server_is_told_in_time_and_served_by_again(own_server: tuple[Server, S3Store]) -> None:
    server, store = own_server
    server.pause()
    try:
        await every_operation_fails_in_time(store)
    finally:
        server.resume()
    await store.files.ping()
    await put(store.files, "newer", b"newer")
    assert await read(store.files, "newer") == b"newer"


async def test_a_restart_between_two_operations_is_not_noticed(own_server: tuple[Server, S3Store]) -> None:
    server, store = own_server
    for _ in range(2):
        await asyncio.to_thread(server.restart)
        assert await read(store.files, "kept") == b"kept"
        await put(store.files, "new", b"new")


async def test_a_server_frozen_in_the_middle_of_a_download_is_told_in_time(own_server: tuple[Server, S3Store]) -> None:
    server, store = own_server
    await put(store.files, "large", b"x" * 40 * MIB)
    reading = store.files.stream("large")
    await anext(reading)
    server.pause()
    try:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreUnavailable):
                [chunk async for chunk in reading]
    finally:
        server.resume()


async def test_a_server_that_never_accepts_is_told_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, socket.socket() as filler:
        filler.setblocking(False)  # noqa: FBT003
        with suppress(BlockingIOError):
            filler.connect(deaf.getsockname())
        files = s3_files(S3Endpoint(f"http://127.0.0.1:{deaf.getsockname()[1]}", "key", "secret"))
        await fails_in_time(asyncio.ensure_future(files.ping()))
        await files.stop()


@asynccontextmanager
async def a_line_cut_after(endpoint: S3Endpoint, size: int) -> AsyncIterator[S3Endpoint]:
    """Stand between us and the server, and drop every connection once so many bytes were sent over all of them."""
    url = urlsplit(endpoint.url)
    passed = 0

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        nonlocal passed
        with suppress(OSError):
            while (data := await reader.read(65_536)) and passed < size:
                passed += len(data) if counts else 0
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(url.hostname, url.port)
        await asyncio.gather(pass_on(reader, downstream, counts=True), pass_on(upstream, writer, counts=False))

    line = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with line:
        port = line.sockets[0].getsockname()[1]
        yield S3Endpoint(f"http://127.0.0.1:{port}", endpoint.access_key, endpoint.secret_key)


@pytest.mark.parametrize("older", [None, b"older"])
async def test_an_upload_cut_off_in_the_middle_leaves_no_object(store: S3Store, older: bytes | None) -> None:
    if older is not None:
        await put(store.files, "a", older)
    async with a_line_cut_after(store.endpoint, 8 * MIB) as endpoint:
        cut_off = s3_files(endpoint, prefix=store.prefix)
        with pytest.raises(StoreUnavailable):
            await put(cut_off, "a", b"x" * 20 * MIB)
        await cut_off.stop()
    if older is None:
        assert await keys(store.files) == []
        with pytest.raises(FileMissing):
            await store.files.stat("a")
    else:
        assert await read(store.files, "a") == older


async def test_many_may_claim_the_same_new_bucket_at_once(endpoint: S3Endpoint) -> None:
    bucket = f"star-race-{time.time_ns()}"
    stores = [S3Store(endpoint, bucket=bucket) for _ in range(6)]
    await asyncio.gather(*(store.files.start() for store in stores))
    await put(stores[0].files, "a", b"content")
    for store in stores:
        await store.files.stop()


async def test_a_bucket_that_we_may_use_but_not_create_is_enough(minio_endpoint: S3Endpoint) -> None:
    owner = S3Store(minio_endpoint)
    await owner.files.start()
    user = S3Endpoint(minio_endpoint.url, f"user{time.time_ns()}", "secret-of-the-user")
    admin = MinioAdmin(
        endpoint=urlsplit(minio_endpoint.url).netloc,
        credentials=StaticProvider(minio_endpoint.access_key, minio_endpoint.secret_key),
        secure=False,
    )
    arn = f"arn:aws:s3:::{BUCKET}"
    allowed = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:AbortMultipartUpload"]
    statement = {"Effect": "Allow", "Action": allowed, "Resource": [arn, f"{arn}/*"]}
    await asyncio.to_thread(admin.user_add, user.access_key, user.secret_key)
    await asyncio.to_thread(
        admin.policy_add, user.access_key, policy={"Version": "2012-10-17", "Statement": [statement]}
    )
    await asyncio.to_thread(admin.policy_set, user.access_key, user=user.access_key)
    store = S3Store(user, prefix=owner.prefix)
    await store.files.start()
    await put(store.files, "a", b"content")
    assert await read(owner.files, "a") == b"content"
    elsewhere = s3_files(user, bucket="star-not-there")
    with pytest.raises(Exception, match="Access"):
        await elsewhere.start()
    for files in (owner.files, store.files, elsewhere):
        await files.stop()


async def test_a_bucket_that_is_gone_cannot_serve(endpoint: S3Endpoint) -> None:
    files = s3_files(endpoint, bucket="star-never-made")
    with pytest.raises(FileMissing):
        await files.ping()
    await files.stop()


async def test_wrong_credentials_cannot_serve(endpoint: S3Endpoint) -> None:
    files = s3_files(S3Endpoint(endpoint.url, endpoint.access_key, "wrong-secret"))
    with pytest.raises(Exception, match="Access"):
        await files.ping()
    await files.stop()


async def test_objects_that_others_put_there_are_told_and_can_be_removed(store: S3Store) -> None:
    for name in ("foreign", "not a key~"):
        store.client.put_object(store.bucket, f"{store.prefix}/{name}", io.BytesIO(b"x"), 1)
    assert await keys(store.files) == ["foreign"]
    with pytest.raises(ChecksumMismatch):
        await store.files.stat("foreign")
    with pytest.raises(ChecksumMismatch):
        await read(store.files, "foreign")
    assert await store.files.delete("foreign") is True


async def test_more_keys_than_one_page_are_listed_in_order(store: S3Store) -> None:
    names = [f"{i % 7}/{i:04}" for i in range(1_203)]
    for name in names:
        store.client.put_object(store.bucket, f"{store.prefix}/{name}", io.BytesIO(b"x"), 1)
    assert await keys(store.files) == sorted(names)


async def test_who_stops_reading_early_gives_the_connection_back(store: S3Store) -> None:
    await put(store.files, "a", b"x" * 8 * MIB)
    before = open_sockets()
    for _ in range(20):
        reading = store.files.stream("a")
        await anext(reading)
        await reading.aclose()
    assert open_sockets() <= before + 1


def open_sockets() -> int:
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum(str(link).startswith("socket:") for link in links)


async def test_the_checksum_is_readable_by_any_s3_client(store: S3Store) -> None:
    stored = await store.files.put("a", chunked(b"content"), content_type="text/plain", max_bytes=10)
    metadata = store.client.stat_object(store.bucket, f"{store.prefix}/a").metadata or {}
    assert metadata["x-amz-meta-sha256"] == stored.sha256
